//! A worker process, like an application's `main`. It writes the cities to the index when it is the active one, and
//! stands by otherwise.

use std::time::Duration;

use async_trait::async_trait;
use redstream_processes::report;
use redstream_seaorm::{Batch, Handler, HandlerError, Health, Indexer, Supervisor, WorkerState};
use tokio::time::sleep;

use super::Report;
#[cfg(feature = "opensearch")]
use crate::search::server;
use crate::search::{Search, embedded};
use crate::site::{DELAY, Generation, LOCK_TTL, STREAM, Site};

/// How often a worker looks whether it has the lock.
const LOOK: Duration = Duration::from_millis(20);
/// A batch is one commit of the index, which costs milliseconds whatever its size.
const BATCH: usize = 5000;

pub(super) async fn work(site: &Site, generation: Generation, end: impl Future<Output = ()>) -> anyhow::Result<()> {
    let db = site.database().await?;
    match &site.search {
        Search::Embedded(folder) => run(site, generation, Indexer::new(db, embedded::sink(folder)?), end).await,
        #[cfg(feature = "opensearch")]
        Search::Server(server) => {
            let sink = server.sink(generation)?;
            match generation {
                Generation::First => run(site, generation, Indexer::new(db, sink), end).await,
                Generation::Second => {
                    run(site, generation, Indexer::with_loader(db, server::labelled, sink), end).await
                }
            }
        }
    }
}

async fn run<H>(site: &Site, generation: Generation, indexer: H, end: impl Future<Output = ()>) -> anyhow::Result<()>
where
    H: Handler,
{
    let cities = site.redstream().await?.stream(STREAM)?;
    report(&Report::Ready)?;
    let workers = Supervisor::new()
        .with(cities.consumer(generation.consumer(), Reporting(indexer)).batch_size(BATCH).lock_ttl(LOCK_TTL))
        .with(cities.delayer(DELAY).lock_ttl(LOCK_TTL))
        .with(cities.trimmer().interval(Duration::from_secs(1)).lock_ttl(LOCK_TTL))
        .grace(Duration::from_secs(5));
    let telling = tokio::spawn(tell_who_leads(workers.health()));
    let ended = workers.run_until(end).await;
    telling.abort();
    Ok(ended?)
}

/// Reports when this process acquires the lock of its consumer, and when it loses it.
async fn tell_who_leads(health: Health) -> anyhow::Result<()> {
    let mut leads = false;
    loop {
        let workers = health.workers();
        let consumer = workers.iter().find(|worker| worker.name.starts_with("consumer "));
        let now = consumer.is_some_and(|worker| matches!(worker.state, WorkerState::Idle | WorkerState::Working));
        if now != leads {
            leads = now;
            report(&Report::Leads(leads))?;
        }
        sleep(LOOK).await;
    }
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
