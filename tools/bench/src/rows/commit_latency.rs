//! From a commit to the handler, while many tasks save.

use super::concurrent_saves::{ROWS, filled};
use crate::database::Backend;
use crate::key::Id;
use crate::place::Place;
use crate::rounds::in_turns;
use crate::row::{Measure, Question, Row};
use crate::saving::{self, Save};
use crate::statistics::percentile;
use crate::yardstick::KEY;
use anyhow::{Result, ensure};
use redis::aio::MultiplexedConnection;
use redis::streams::StreamReadReply;
use redstream_core::{Batch, CancellationToken, Start};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(crate) const QUESTION: Question = Question {
    name: "commit_latency",
    path: "commit → handler called, 64 tasks that save, PostgreSQL, p99",
    yardstick: "plain SeaORM, then XADD and blocking XREAD by redis-rs",
    unit: "µs",
    measure: Measure::Price,
    floor: 1.5,
    aim: 1.1,
};

const TASKS: usize = 64;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let limit = async || raw(place).await;
    let ours = async || Ok((ours(place).await?, None));
    Ok(vec![QUESTION.answer(&in_turns(place.rounds(), limit, ours).await?)])
}

/// In microseconds.
pub(crate) async fn ours(place: &Place) -> Result<f64> {
    let (database, clock) = (filled(place, Backend::Postgres).await?, Clock::new());
    let stream = place.connect().await?.stream("cities")?;
    stream.register("waiting", Start::Latest).await?;
    let handler = {
        let clock = clock.clone();
        move |batch: Batch| {
            let seen: Result<Vec<_>, _> = batch.payloads::<Id>().collect();
            let clock = clock.clone();
            async move {
                clock.arrived(seen?.into_iter());
                Ok(())
            }
        }
    };
    let (consumer, stop) = (stream.consumer("waiting", handler), CancellationToken::new());
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { consumer.run(stop).await }
    });
    let saves = place.scaled(8_000).div_ceil(TASKS);
    each_task(|task| {
        let (database, clock) = (database.clone(), clock.clone());
        async move {
            for row in rows_of(task, saves) {
                saving::streamed_and(&database, SAVE, 1, row, || clock.commits(row)).await?;
            }
            anyhow::Ok(())
        }
    })
    .await?;
    let all = clock.all(TASKS * saves, || running.is_finished()).await?;
    stop.cancel();
    running.await??;
    Ok(percentile(all, 0.99))
}

/// The same with plain saves, each followed by an `XADD` on one connection of redis-rs, and a task that reads.
async fn raw(place: &Place) -> Result<f64> {
    let (database, clock) = (filled(place, Backend::Postgres).await?, Clock::new());
    let (writer, reader) = (place.raw_like_ours().await?, place.raw_like_ours().await?);
    let saves = place.scaled(8_000).div_ceil(TASKS);
    let reading = tokio::spawn(read(reader, clock.clone(), TASKS * saves));
    each_task(|task| {
        let (database, clock, mut writer) = (database.clone(), clock.clone(), writer.clone());
        async move {
            for row in rows_of(task, saves) {
                saving::plain_and(&database, SAVE, 1, row, || clock.commits(row)).await?;
                let payload = format!(r#"{{"id":{}}}"#, row + 1);
                redis::cmd("XADD").arg(KEY).arg("*").arg("payload").arg(payload).exec_async(&mut writer).await?;
            }
            anyhow::Ok(())
        }
    })
    .await?;
    let all = clock.all(TASKS * saves, || reading.is_finished()).await?;
    reading.await??;
    Ok(percentile(all, 0.99))
}

async fn read(mut connection: MultiplexedConnection, clock: Clock, count: usize) -> Result<()> {
    let (mut seen, mut last) = (0, "0".to_owned());
    while seen < count {
        let mut xread = redis::cmd("XREAD");
        xread.arg("COUNT").arg(1000).arg("BLOCK").arg(10_000).arg("STREAMS").arg(KEY).arg(&last);
        let reply: Option<StreamReadReply> = xread.query_async(&mut connection).await?;
        let entries = reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids);
        let mut ids = Vec::new();
        for entry in entries {
            let payload: String = entry.get("payload").unwrap_or_default();
            ids.push(serde_json::from_str(&payload)?);
            last = entry.id;
        }
        seen += ids.len();
        clock.arrived(ids.into_iter());
    }
    Ok(())
}

async fn each_task<F: Future<Output = Result<()>> + Send + 'static>(work: impl Fn(usize) -> F) -> Result<()> {
    let savers: Vec<_> = (0..TASKS).map(|task| tokio::spawn(work(task))).collect();
    for saver in savers {
        saver.await??;
    }
    Ok(())
}

/// Each row is saved once.
fn rows_of(task: usize, saves: usize) -> std::ops::Range<usize> {
    task * saves..(task + 1) * saves
}

const SAVE: Save = Save::Update { rows: ROWS };

/// When the rows were committed, and how long their messages took.
#[derive(Clone)]
struct Clock {
    epoch: Instant,
    commits: Arc<[AtomicU64]>,
    latencies: Arc<Mutex<Vec<f64>>>,
}

impl Clock {
    fn new() -> Self {
        Self {
            epoch: Instant::now(),
            commits: (0..ROWS).map(|_| AtomicU64::new(0)).collect(),
            latencies: Arc::default(),
        }
    }

    fn commits(&self, row: usize) {
        self.commits[row].store(self.now(), Relaxed);
    }

    fn arrived(&self, ids: impl Iterator<Item = Id>) {
        let now = self.now();
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        for Id { id } in ids {
            let row = usize::try_from(id - 1).unwrap_or(usize::MAX);
            if let Some(commit) = self.commits.get(row) {
                latencies.push(now.saturating_sub(commit.load(Relaxed)) as f64 / 1e3);
            }
        }
    }

    /// Waits for this many.
    async fn all(&self, count: usize, has_ended: impl Fn() -> bool) -> Result<Vec<f64>> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let has_ended = has_ended();
            {
                let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
                if latencies.len() >= count {
                    return Ok(std::mem::take(&mut *latencies));
                }
            }
            ensure!(!has_ended && Instant::now() < deadline, "messages are missing");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
