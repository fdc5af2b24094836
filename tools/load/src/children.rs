//! The processes that the run starts: this same program with a job.

use redstream_processes::job;

use crate::words::Job;
use crate::{workers, writer};

/// The job of such a process.
pub(crate) async fn live() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let (job, end) = job()?;
    match job {
        Job::Workers(site) => workers::work(&site, end.cancelled()).await,
        Job::Writer { site, first, of } => {
            end.run_until_cancelled(writer::write(&site, first, of)).await.unwrap_or(Ok(()))
        }
    }
}
