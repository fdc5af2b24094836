//! A host of workers: like an application's `main`. There are two; each worker works on one of them and stands by on
//! the other.

use std::time::Duration;

use redstream_processes::report;
use redstream_seaorm::{Indexer, Supervisor};

use crate::site::{CONSUMERS, DELAY, LOCK_TTL, STREAM, Site};
use crate::words::Report;

pub(crate) async fn work(site: &Site, end: impl Future<Output = ()>) -> anyhow::Result<()> {
    let items = site.redstream().await?.stream(STREAM)?;
    let primary = site.database().await?;
    let reports = Indexer::new(primary.clone(), site.reports().await?);
    let cache = Indexer::new(primary, site.cache().await?);
    report(&Report::Ready)?;
    Supervisor::new()
        .with(items.consumer(CONSUMERS[0], reports).lock_ttl(LOCK_TTL))
        .with(items.consumer(CONSUMERS[1], cache).lock_ttl(LOCK_TTL))
        .with(items.delayer(DELAY).lock_ttl(LOCK_TTL))
        .with(items.trimmer().interval(Duration::from_secs(1)).lock_ttl(LOCK_TTL))
        .grace(Duration::from_secs(10))
        .run_until(end)
        .await?;
    Ok(())
}
