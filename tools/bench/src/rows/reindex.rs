//! Changes while a table is reindexed, and the pace of the walk, with a consumer that writes as a search index does.

use crate::city::streamed;
use crate::database::{Backend, Database};
use crate::key::{Id, messages};
use crate::place::Place;
use crate::rounds::Rounds;
use crate::row::{Measure, Question, Row};
use crate::statistics::percentile;
use anyhow::{Result, ensure};
use redstream_core::{Batch, CancellationToken, Redstream, Start};
use redstream_seaorm::RedstreamExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const LATENCY: Question = Question {
    name: "reindex_latency",
    path: "`queue` → handled during a reindex, handler of 5 ms and 20 µs a row, p99",
    yardstick: "the same without a reindex",
    unit: "ms",
    measure: Measure::Price,
    floor: 2.0,
    aim: 1.8,
};

const PACE: Question = Question {
    name: "reindex_pace",
    path: "reindex of 200,000 rows, SQLite, with that handler",
    yardstick: "the handler's pace with a backlog",
    unit: "rows/s",
    measure: Measure::Rate,
    floor: 0.5,
    aim: 0.8,
};

const BATCH: Duration = Duration::from_millis(5);
const ROW: Duration = Duration::from_micros(20);

/// The time between two changes.
const EVERY: Duration = Duration::from_millis(5);

/// Added to the ids of changes, which are times in nanoseconds; rows have smaller ids.
const CHANGES: u64 = 1_000_000_000;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let (mut latency, mut pace) = (Rounds::default(), Rounds::default());
    for _ in 0..place.rounds() {
        let (during, rate, took) = Box::pin(reindexing(place, place.scaled(200_000))).await?;
        let without = Consumer::start(place.fresh().await?).await?.changes(tokio::time::sleep(took)).await?;
        latency.add(during, without, None);
        pace.add(rate, backlog(place, place.scaled(200_000)).await?, None);
    }
    Ok(vec![LATENCY.answer(&latency), PACE.answer(&pace)])
}

/// The changes' p99 in ms, the rows a second, and the time.
async fn reindexing(place: &Place, count: usize) -> Result<(f64, f64, Duration)> {
    let redstream = place.fresh().await?;
    let database = Database::new(place, Backend::Sqlite, &redstream).await?;
    database.fill(count).await?;
    let consumer = Consumer::start(redstream.clone()).await?;
    let begun = Instant::now();
    let mut report = None;
    let walk = async {
        report = Some(redstream.reindex::<streamed::Entity>(&database.plain).run(CancellationToken::new()).await);
    };
    let p99 = Box::pin(consumer.changes(walk)).await?;
    let took = begun.elapsed();
    ensure!(report.transpose()?.is_some_and(|report| report.is_done()), "the reindex was not done");
    Ok((p99, count as f64 / took.as_secs_f64(), took))
}

/// Messages a second, if all are in the stream.
async fn backlog(place: &Place, count: usize) -> Result<f64> {
    let redstream = place.fresh().await?;
    let stream = redstream.stream("cities")?;
    redstream.producer().queue_all(&messages(stream.name(), 0..count)?).await?;
    let begun = Instant::now();
    let _consumer = Consumer::start(redstream).await?;
    while stream.lag("search").await? > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// A consumer of cities at work, until it is dropped.
struct Consumer {
    redstream: Redstream,
    epoch: Instant,
    /// How long the changes took, in ms.
    seen: Arc<Mutex<Vec<f64>>>,
    _stop: tokio_util::sync::DropGuard,
}

impl Consumer {
    async fn start(redstream: Redstream) -> Result<Self> {
        let stream = redstream.stream("cities")?;
        stream.register("search", Start::Earliest).await?;
        let (epoch, seen) = (Instant::now(), Arc::<Mutex<Vec<f64>>>::default());
        let told = seen.clone();
        let consumer = stream.consumer("search", move |batch: Batch| {
            let told = told.clone();
            async move {
                tokio::time::sleep(BATCH + ROW * u32::try_from(batch.len()).unwrap_or(u32::MAX)).await;
                for change in batch.payloads::<Id>() {
                    if let Some(sent) = change?.id.checked_sub(CHANGES) {
                        let took = epoch.elapsed().saturating_sub(Duration::from_nanos(sent));
                        told.lock().unwrap_or_else(PoisonError::into_inner).push(took.as_secs_f64() * 1e3);
                    }
                }
                Ok(())
            }
        });
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone().drop_guard();
        tokio::spawn(async move { consumer.run(shutdown).await });
        Ok(Self { redstream, epoch, seen, _stop: stop })
    }

    /// Writes changes until `work` is over: their p99 in ms.
    async fn changes(&self, work: impl Future<Output = ()>) -> Result<f64> {
        let (producer, stream) = (self.redstream.producer(), self.redstream.stream("cities")?);
        let changes = async || -> Result<std::convert::Infallible> {
            let mut ticks = tokio::time::interval(EVERY);
            loop {
                ticks.tick().await;
                let id = CHANGES + u64::try_from(self.epoch.elapsed().as_nanos())?;
                producer.queue(stream.name(), &Id { id }).await?;
            }
        };
        tokio::select! {
            () = work => {}
            failed = changes() => match failed? {},
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(seen.len() > 50, "too few changes were handled");
        Ok(percentile(seen.iter().copied(), 0.99))
    }
}
