//! The processes that the demo starts: this same program with a job. `redstream_processes` passes the job to a child
//! and its reports back, and ends a child that was left running.

mod crew;
mod halting;
mod worker;
mod writer;

use redstream_processes::job;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

pub(crate) use crew::Crew;
#[cfg(feature = "open")]
pub(crate) use crew::News;

use crate::site::{Generation, Site};

/// The job of a child.
#[derive(Serialize, Deserialize)]
pub(crate) enum Job {
    /// Writes the cities to the index, or stands by.
    Worker(Site, Generation),
    /// Saves the city of this id, and stops between COMMIT and main message.
    Writer(Site, usize),
}

/// A report of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The worker is at work, or stands by.
    Ready,
    /// The handler got a batch of this many messages.
    Handling(usize),
    /// The handler is done with it.
    Handled,
    /// Whether the worker holds the lock of the consumer; the others stand by.
    Leads(bool),
    /// The writer's transaction is committed, and no main message was sent.
    Committed,
    /// The process has ended.
    Gone,
}

/// The main function of a child.
pub(crate) async fn live() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let (job, end) = job()?;
    match job {
        Job::Worker(site, generation) => worker::work(&site, generation, end.cancelled()).await,
        Job::Writer(site, id) => end.run_until_cancelled(writer::write(&site, id)).await.unwrap_or(Ok(())),
    }
}
