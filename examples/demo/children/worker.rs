//! A worker process, like an application's `main`. It writes the cities to the index when it is the active one, and
//! stands by otherwise.

use std::time::Duration;

use async_trait::async_trait;
use redstream_processes::report;
use redstream_seaorm::{Batch, Changes, Handler, HandlerError, Indexer, Key, Sink, Supervisor};

use super::Report;
use crate::city;
use crate::search::SearchIndex;
use crate::site::{CONSUMER, DELAY, LOCK_TTL, STREAM, Site};

/// A batch is one commit of the index, which costs milliseconds whatever its size.
const BATCH: usize = 5000;

pub(super) async fn work(site: &Site, end: impl Future<Output = ()>) -> anyhow::Result<()> {
    let cities = site.redstream().await?.stream(STREAM)?;
    let indexer = Indexer::new(site.database().await?, site.search());
    report(&Report::Ready)?;
    Supervisor::new()
        .with(cities.consumer(CONSUMER, Reporting(indexer)).batch_size(BATCH).lock_ttl(LOCK_TTL))
        .with(cities.delayer(DELAY).lock_ttl(LOCK_TTL))
        .with(cities.trimmer().interval(Duration::from_secs(1)).lock_ttl(LOCK_TTL))
        .grace(Duration::from_secs(5))
        .run_until(end)
        .await?;
    Ok(())
}

/// A handler that also reports when it begins and ends.
struct Reporting<H>(H);

#[async_trait]
impl<H: Handler> Handler for Reporting<H> {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        report(&Report::Handling(batch.len()))?;
        self.0.handle(batch).await?;
        report(&Report::Handled)?;
        Ok(())
    }
}

/// Writes what the indexer found to the index.
impl Sink<city::Entity> for SearchIndex {
    async fn write(&self, changes: Changes<city::Entity>) -> Result<(), HandlerError> {
        let index = self.clone();
        let upserts: Vec<city::Model> = changes.upserts.into_iter().map(|(_, city)| city).collect();
        let deletes: Vec<i64> = changes.deletes.iter().map(Key::value).collect();
        tokio::task::spawn_blocking(move || index.write(changes.version, &upserts, &deletes)).await??;
        Ok(())
    }
}
