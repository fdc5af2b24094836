//! A relay process.

use std::time::Duration;

use anyhow::Result;
use redstream_seaorm::{CancellationToken, Supervisor};

use crate::site::Site;

/// Moves rows of the outbox until told to stop.
pub(crate) async fn work(site: &Site, end: CancellationToken) -> Result<()> {
    let db = site.streamed(site.primary().await?).await?;
    let relay = db.relay().interval(Duration::from_millis(100)).batch_size(5);
    Supervisor::new().with(relay).grace(Duration::from_secs(2)).run_until(end.cancelled()).await?;
    Ok(())
}
