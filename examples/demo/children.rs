//! The processes that the demo starts: this same program, given a job. `redstream_processes` carries the job to a child and its
//! reports back, and ends a child that is left behind.

mod crew;
mod halting;
mod worker;
mod writer;

use redstream_processes::job;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

pub(crate) use crew::Crew;

use crate::site::Site;

/// What a child is.
#[derive(Serialize, Deserialize)]
pub(crate) enum Job {
    /// Carries the cities to the index, or stands by.
    Worker(Site),
    /// Saves the city of this id, and stops between COMMIT and main message.
    Writer(Site, usize),
}

/// What a child says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The worker is at work, or stands by.
    Ready,
    /// The handler got a batch of so many messages.
    Handling(usize),
    /// The handler is done with it.
    Handled,
    /// The writer's transaction is committed, and nothing after it was done.
    Committed,
    /// The process is no more.
    Gone,
}

/// A child's life.
pub(crate) async fn live() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let (job, end) = job()?;
    match job {
        Job::Worker(site) => worker::work(&site, end.cancelled()).await,
        Job::Writer(site, id) => end.run_until_cancelled(writer::write(&site, id)).await.unwrap_or(Ok(())),
    }
}
