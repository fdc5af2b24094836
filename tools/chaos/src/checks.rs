//! What must hold when the faults are over.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Result;
use redis::aio::MultiplexedConnection;
use redstream_seaorm::MessageId;

use crate::database::Audited;
use crate::keys::{number, number_in};
use crate::kind::Kind;
use crate::schedule::Theme;
use crate::search::judge::judge;
use crate::search::rows::VALUE;
use crate::sink::stored;
use crate::site::CONSUMERS;
use crate::stage::Stage;
use crate::verdict::Breach;

/// The error of a transaction that the server has already ended.
const ENDED: &str = "has ended on the server";

/// The error of a save whose row no longer exists when SeaORM reads it again.
const UNREAD: &str = "RecordNotFound Error: Failed to find";

type Found = Vec<(Breach, String)>;

/// The work that is not done yet; `None` when all is done.
pub(crate) async fn left(stage: &Stage, redis: &mut MultiplexedConnection) -> Result<Found> {
    let mut found = in_redis(stage, redis).await?;
    let waiting = stage.primary.outbox().await?;
    if waiting > 0 {
        found.push((Breach::Floor, format!("{waiting} rows in the outbox")));
    }
    if found.is_empty() {
        found = differences(stage).await?;
    }
    Ok(found)
}

/// Adds a message of a key that is not poisoned.
pub(crate) async fn healthy(stage: &Stage, redis: &mut MultiplexedConnection) -> redis::RedisResult<String> {
    let key = stage.schedule.place.main_stream();
    let payload = stage.schedule.keys.payload(1);
    redis::cmd("XADD").arg(key).arg("*").arg("payload").arg(payload).query_async(redis).await
}

/// Both streams are empty.
async fn in_redis(stage: &Stage, redis: &mut MultiplexedConnection) -> Result<Found> {
    let mut found = Vec::new();
    let main = stage.schedule.place.main_stream();
    let delayed = (stage.schedule.theme == Theme::Repair).then(|| format!("{main}.delay"));
    for stream in [main].into_iter().chain(delayed) {
        let len: u64 = redis::cmd("XLEN").arg(&stream).query_async(redis).await?;
        if len > 0 {
            found.push((Breach::Floor, format!("{len} messages in {stream}")));
        }
    }
    Ok(found)
}

/// Every committed row is the document of each consumer, and there is no other document.
pub(crate) async fn differences(stage: &Stage) -> Result<Found> {
    let mut found = Vec::new();
    let rows = stage.primary.rows().await?;
    for consumer in CONSUMERS {
        let documents = stage.datastore.documents(consumer);
        let rows: BTreeMap<String, &String> =
            rows.iter().map(|(id, value)| (stored(consumer, stage.schedule.keys, id), value)).collect();
        for (id, value) in rows.iter().filter(|(id, _)| !stage.schedule.poison.contains(&number(id))) {
            match documents.get(id) {
                Some(document) if document == *value => {}
                Some(document) => {
                    found.push((Breach::Stale, format!("{consumer} has {document} for key {id}, the row is {value}")));
                }
                None => found.push((Breach::Lost, format!("{consumer} has nothing for key {id}, the row is {value}"))),
            }
        }
        for (id, document) in documents.iter().filter(|(id, _)| !rows.contains_key(*id)) {
            found.push((Breach::Extra, format!("{consumer} has {document} for key {id}, and there is no row")));
        }
    }
    Ok(found)
}

/// All checks of the recorded events, once nothing runs any more. Returns how many values writers have committed.
pub(crate) async fn history(stage: &Stage, redis: &mut MultiplexedConnection) -> Result<usize> {
    let audit = stage.primary.audit().await?;
    let found = [
        differences(stage).await?,
        told(stage, &audit),
        accepted(stage, &audit),
        dead_letters(stage, &audit, redis).await?,
        keys(stage, redis).await?,
        judge(stage).await?,
    ];
    for (breach, what) in found.into_iter().flatten() {
        stage.breaches.add(breach, what);
    }
    Ok(audit.iter().filter(|audited| !audited.value.starts_with(VALUE)).count())
}

/// The outcomes that writers got are those of the database.
fn told(stage: &Stage, audit: &[Audited]) -> Found {
    let committed: HashSet<&str> = audit.iter().map(|audited| audited.value.as_str()).collect();
    let mut found = Vec::new();
    for written in stage.written() {
        let is_there = |value: &&String| committed.contains(value.as_str());
        let not_there = written.kept.iter().find(|value| written.error.is_none() && !is_there(value));
        let mut wrongly = written.dropped.iter().find(is_there);
        // What was written before is committed or not; the error says that this is not known.
        // On MariaDB, which returns no row, SeaORM reads it again after the commit: another writer may have deleted it.
        let unread = if stage.schedule.kind == Kind::MariaDb { UNREAD } else { ENDED };
        let unknown = written.error.as_ref().is_some_and(|error| error.contains(ENDED) || error.contains(unread));
        if unknown {
            wrongly = None;
        } else if written.error.is_some() {
            wrongly = wrongly.or(written.kept.iter().chain(&written.perhaps).find(is_there));
        }
        if let Some(value) = not_there {
            found.push((Breach::Told, format!("{value} is not committed: {written:?}")));
        }
        if let Some(value) = wrongly {
            found.push((Breach::Told, format!("{value} is committed: {written:?}")));
        }
        if written.error.as_ref().is_some_and(|error| error.contains("was not refused")) {
            found.push((Breach::Told, format!("{written:?}")));
        }
    }
    found
}

/// Records that the datastore accepted were committed, came with a version of its batch, and never went back.
fn accepted(stage: &Stage, audit: &[Audited]) -> Found {
    let keys = stage.schedule.keys;
    let committed: HashMap<(String, &str), i64> = audit
        .iter()
        .filter(|audited| !audited.gone)
        .map(|audited| ((keys.fold(&audited.id), audited.value.as_str()), audited.seq))
        .collect();
    let mut found = Vec::new();
    let mut versions = HashMap::new();
    let mut newest = HashMap::new();
    for record in stage.datastore.history() {
        let key = (record.consumer.clone(), record.id.clone());
        let before = versions.insert(key.clone(), record.version).unwrap_or(0);
        if record.version < before {
            found.push((Breach::Reordered, format!("accepted after version {before}: {record:?}")));
        }
        if !stage.monitor.issued(&record.consumer, record.version) {
            found.push((Breach::Version, format!("never issued: {record:?}")));
        }
        let arrived = record.last.parse().map_or(0, |last: MessageId| last.ms * 1000);
        if !stage.schedule.ahead && record.version < arrived {
            found.push((Breach::Version, format!("issued before its newest message was there: {record:?}")));
        }
        let Some(value) = &record.value else { continue };
        let Some(seq) = committed.get(&(keys.fold(&record.id), value.as_str())) else {
            found.push((Breach::Uncommitted, format!("{record:?}")));
            continue;
        };
        // Of one process, since a paused one may have read a newer row before, with an older version.
        let before = newest.insert((key, record.process), *seq).unwrap_or(0);
        if *seq < before {
            found.push((Breach::Reordered, format!("an older row after a newer one: {record:?}")));
        }
    }
    found
}

/// The dead letters are those of the poisoned keys.
async fn dead_letters(stage: &Stage, audit: &[Audited], redis: &mut MultiplexedConnection) -> Result<Found> {
    let written: BTreeSet<i64> = audit.iter().map(|audited| number(&audited.id)).collect();
    let poisoned: BTreeSet<i64> = stage.schedule.poison.iter().copied().collect();
    let mut found = Vec::new();
    for consumer in CONSUMERS {
        let key = format!("{}.dead.{consumer}", stage.schedule.place.main_stream());
        let letters: Vec<(String, BTreeMap<String, String>)> =
            redis::cmd("XRANGE").arg(&key).arg("-").arg("+").query_async(redis).await?;
        let mut dead = BTreeSet::new();
        for (_, letter) in letters {
            dead.insert(number_in(letter.get("payload").map_or("", |text| text)));
        }
        let healthy: Vec<_> = dead.difference(&poisoned).collect();
        let missing: Vec<_> = poisoned.intersection(&written).filter(|id| !dead.contains(id)).collect();
        if !healthy.is_empty() {
            found.push((Breach::DeadLetters, format!("{consumer} made dead letters of healthy keys: {healthy:?}")));
        }
        if !missing.is_empty() {
            found.push((Breach::DeadLetters, format!("{consumer} made no dead letters of: {missing:?}")));
        }
    }
    Ok(found)
}

/// Redis only has the keys that a stream needs permanently.
async fn keys(stage: &Stage, redis: &mut MultiplexedConnection) -> Result<Found> {
    let tag = stage.schedule.place.tag();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(redis).await?;
    let mut found = Vec::new();
    for key in keys {
        let lasts =
            ["stream:", "offset:", "version:", "consumers:", "reindexes:"].map(|kind| format!("redstream:{kind}{tag}"));
        let ttl: i64 = redis::cmd("PTTL").arg(&key).query_async(redis).await?;
        if ttl == -1 && !lasts.iter().any(|prefix| key.starts_with(prefix)) {
            found.push((Breach::Floor, format!("{key} stays for ever")));
        }
    }
    Ok(found)
}
