//! A walk through the keys of a sharded stream.

use redstream_core::{CancellationToken, ReindexState, Start};

use super::source::{Numbers, keys};
use super::{Running, sorted};
use crate::core::SOON;
use crate::core::recorder::Recorder;
use crate::support::{eventually, redstream};

#[tokio::test]
async fn keys_go_to_their_shards_and_the_consumers_of_all_shards_are_waited_for() {
    let redstream = redstream().await;
    let shards = redstream.shards("numbers", 4).unwrap().generation(2).unwrap();
    for stream in shards.streams() {
        stream.register("search", Start::Earliest).await.unwrap();
    }
    let walk = Running::start(shards.reindex(Numbers::to(1000).sharded(shards.map())));
    let queued = async || {
        let mut queued = 0;
        for stream in shards.streams() {
            queued += stream.len().await.unwrap();
        }
        queued
    };
    eventually(SOON, "two chunks", async || queued().await == 200).await;
    let seen = Recorder::default();
    // All shards but one: it waits for that.
    let shutdown = CancellationToken::new();
    let _stop = shutdown.clone().drop_guard();
    let start = |nth: usize| {
        let (consumer, shutdown) = (shards.streams()[nth].consumer("search", seen.clone()), shutdown.clone());
        tokio::spawn(async move { consumer.run(shutdown).await });
    };
    (1..4).for_each(start);
    let record = async || shards.reindexes().get("numbers").await.unwrap().unwrap();
    eventually(SOON, "it waits", async || record().await.state == ReindexState::WaitingForLag).await;
    assert_eq!(record().await.last.len(), 4);
    start(0);
    assert!(walk.report().await.is_done());
    assert_eq!(sorted(seen.payloads()), keys(1..=1000));
    for stream in shards.streams() {
        assert_eq!(stream.lag("search").await.unwrap(), 0);
        assert_eq!(record().await.last[stream.name()], stream.last_id().await.unwrap());
        assert_eq!(stream.reindexes().list().await.unwrap(), [], "the record is that of all shards");
    }
}
