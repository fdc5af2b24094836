//! A consumer of an earlier version, which joins in the midst of a schedule and reads one message per entry only: the
//! harness itself plays it, by plain commands. Each message of an entry that it cannot read must come again in one that
//! it can.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use redis::aio::MultiplexedConnection;
use tokio::time::sleep;

use crate::connect::connected;
use crate::place::Place;
use crate::stage::Stage;
use crate::verdict::Breach;

const NAME: &str = "older";

const LOOK: Duration = Duration::from_millis(20);

/// Notes that the consumers that come and the delayer read entries of several messages, before any of them runs: a
/// schedule is too short for writers that look once a minute.
pub(crate) async fn announce_readers(
    place: Place,
    redis: &mut MultiplexedConnection,
    consumers: &[&str],
) -> Result<()> {
    const NOTE: &str = "local note = cjson.decode(redis.call('HGET', KEYS[1], ARGV[1]) or '{}') note.packs = 1 \
                        return redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(note))";
    let (registry, delayers) = (registry(place), format!("{}.delay", registry(place)));
    for (registry, name) in consumers.iter().map(|name| (&registry, *name)).chain([(&delayers, "delayer")]) {
        redis::cmd("EVAL").arg(NOTE).arg(1).arg(registry).arg(name).exec_async(redis).await?;
    }
    Ok(())
}

fn registry(place: Place) -> String {
    format!("redstream:consumers:{}", place.tag())
}

/// The payloads of entries that it could not read, and that did not come again yet, with the entry's id.
#[derive(Default)]
pub(crate) struct Missed(Mutex<BTreeMap<String, String>>);

impl Missed {
    pub(crate) fn left(&self) -> Option<String> {
        let missed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        missed
            .iter()
            .next()
            .map(|(payload, id)| format!("{NAME} cannot read {payload} in {id}, and it never came alone"))
    }

    fn take(&self, id: &str, field: &str, value: &str) {
        let mut missed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if field == "payloads" {
            missed.extend(value.lines().map(|payload| (payload.trim().to_owned(), id.to_owned())));
        } else {
            missed.remove(value.trim());
        }
    }
}

/// Joins after this time, and reads until the schedule ends.
pub(crate) async fn join(stage: Arc<Stage>, after: Duration) {
    sleep(after).await;
    let mut offset = None;
    while !stage.ending.load(Ordering::SeqCst) {
        // Redis may be killed at any moment.
        if let Err(error) = read(&stage, &mut offset).await {
            stage.log.add(NAME, &format!("{error:#}"));
        }
        sleep(LOOK).await;
    }
    if let Some(missed) = stage.missed.left() {
        stage.breaches.add(Breach::Lost, missed);
    }
}

async fn read(stage: &Stage, offset: &mut Option<String>) -> Result<()> {
    const REGISTER: &str = "redis.call('HSETNX', KEYS[1], ARGV[1], '{\"skips_repeats\":false,\"owner\":\"a/400\"}') \
                            local last = '0-0' \
                            if redis.call('EXISTS', KEYS[3]) == 1 then \
                              local info = redis.call('XINFO', 'STREAM', KEYS[3]) \
                              for i = 1, #info, 2 do if info[i] == 'last-generated-id' then last = info[i + 1] end end \
                            end \
                            redis.call('SET', KEYS[2], last, 'NX') \
                            return redis.call('GET', KEYS[2])";
    let place = stage.schedule.place;
    let (stream, own) = (place.main_stream(), format!("redstream:offset:{}:{NAME}", place.tag()));
    let mut redis = connected(stage.redis_port).await?;
    if offset.is_none() {
        let mut eval = redis::cmd("EVAL");
        eval.arg(REGISTER).arg(3).arg(registry(place)).arg(&own).arg(&stream).arg(NAME);
        *offset = Some(eval.query_async(&mut redis).await?);
        stage.log.add(NAME, &format!("joins at {offset:?}"));
    }
    let after = offset.clone().unwrap_or_default();
    let xrange = redis::cmd("XRANGE").arg(&stream).arg(format!("({after}")).arg("+").to_owned();
    let entries: Vec<(String, Vec<String>)> = xrange.query_async(&mut redis).await?;
    for (id, fields) in &entries {
        // A dead letter that is redriven has the field `consumer` first, and is for another one.
        if let [field, value] = &fields[..] {
            stage.missed.take(id, field, value);
        }
    }
    if let Some((last, _)) = entries.last() {
        // By a script, as other consumers do it: the monitor reads the offsets that scripts store.
        let script = "return redis.call('SET', KEYS[1], ARGV[1])";
        redis::cmd("EVAL").arg(script).arg(1).arg(&own).arg(last).exec_async(&mut redis).await?;
        *offset = Some(last.clone());
    }
    Ok(())
}
