//! Properties of any schedule of commits, and of any ids, as computed by Redis itself.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use redstream_core::{Error, LockGuard, MessageId};

use crate::support::{namespace, raw_redis, redis_url, redstream_at};

const TTL: Duration = Duration::from_secs(60);

/// How many schedules, each in a stream of its own.
const SCHEDULES: usize = 30;

#[derive(Clone, Copy, Debug)]
enum Act {
    /// The last owner of the lock, or an earlier one, commits.
    Commit {
        owner: usize,
        id: MessageId,
    },
    TakeOver,
}

fn ids() -> impl Strategy<Value = MessageId> {
    // Of different lengths, so that they are ordered differently as text; up to where doubles are not exact.
    let part = || prop_oneof![0..12_u64, 98..102_u64, (1_u64 << 53)..(1 << 53) + 4, Just(u64::MAX)];
    (part(), part()).prop_map(|(ms, seq)| MessageId::new(ms, seq))
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let commit = (0..3_usize, ids()).prop_map(|(owner, id)| Act::Commit { owner, id });
    prop::collection::vec(prop_oneof![4 => commit, 1 => Just(Act::TakeOver)], 1..25)
}

fn drawn<T>(strategy: impl Strategy<Value = T>, runner: &mut TestRunner) -> T {
    strategy.new_tree(runner).unwrap().current()
}

#[tokio::test]
async fn no_schedule_of_commits_moves_an_offset_back_and_only_its_owner_moves_it() {
    let (namespace, mut runner) = (namespace(), TestRunner::default());
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let mut raw = raw_redis(&redis_url()).await;
    for schedule in 0..SCHEDULES {
        let stream = redstream.stream(format!("products{schedule}")).unwrap();
        // Its last message has the greatest possible id: an offset beyond the last would be set back as a loss.
        let (key, last) = (format!("{namespace}:redstream:stream:products{schedule}"), format!("{0}-{0}", u64::MAX));
        let _: String =
            redis::cmd("XADD").arg(key).arg(last).arg("payload").arg(1).query_async(&mut raw).await.unwrap();
        let (lock, offsets) = (stream.lock("search", TTL).unwrap(), stream.offsets());
        let mut owners: Vec<LockGuard> = vec![lock.try_acquire().await.unwrap().expect("free")];
        let (mut expected, acts) = (None, drawn(acts(), &mut runner));
        for act in &acts {
            match *act {
                Act::TakeOver => {
                    let () = redis::cmd("DEL").arg(lock.key()).query_async(&mut raw).await.unwrap();
                    owners.push(lock.try_acquire().await.unwrap().expect("free"));
                }
                Act::Commit { owner, id } => {
                    let back = owner.min(owners.len() - 1);
                    let outcome = offsets.commit(&owners[owners.len() - 1 - back], id).await;
                    match outcome {
                        Ok(committed) => {
                            assert_eq!(back, 0, "a former owner committed: {acts:?}");
                            assert_eq!(committed.stored, expected < Some(id), "{id} after {expected:?}: {acts:?}");
                            expected = expected.max(Some(id));
                        }
                        Err(Error::LockLost { .. }) => assert!(back > 0, "the owner was refused: {acts:?}"),
                        Err(error) => panic!("{error:?}: {acts:?}"),
                    }
                }
            }
            assert_eq!(offsets.get("search").await.unwrap(), expected, "{acts:?}");
        }
    }
}

#[tokio::test]
async fn the_scripts_order_and_count_ids_as_numbers() {
    let prelude = include_str!("../../redstream-core/src/lua/prelude.lua");
    let before_and_after = format!("{prelude}\nreturn {{before(ARGV[1], ARGV[2]) and 1 or 0, after(ARGV[1])}}");
    let (script, mut runner) = (redis::Script::new(&before_and_after), TestRunner::default());
    let mut raw = raw_redis(&redis_url()).await;
    for _ in 0..500 {
        let (a, b) = drawn((ids(), ids()), &mut runner);
        let (before, after): (u8, String) =
            script.arg(a.to_string()).arg(b.to_string()).invoke_async(&mut raw).await.unwrap();
        assert_eq!(before == 1, a < b, "{a} {b}");
        // After the last id of a millisecond comes the first of the next, and after the greatest none.
        let next = match (a.seq.checked_add(1), a.ms.checked_add(1)) {
            (Some(seq), _) => MessageId::new(a.ms, seq),
            (None, Some(ms)) => MessageId::new(ms, 0),
            (None, None) => MessageId::MAX,
        };
        assert_eq!(after, next.to_string(), "{a}");
    }
}
