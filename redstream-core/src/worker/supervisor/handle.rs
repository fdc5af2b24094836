//! The handle of workers that run.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;

use crate::error::{Error, Result};
use crate::time::deadline;
use crate::worker::health::Health;

/// Workers that run; made by [`Supervisor::start`](crate::Supervisor::start).
///
/// Dropping it stops all workers at once, without grace: an interrupted batch is handled again.
/// [`shutdown`](Self::shutdown) lets them finish.
///
/// ```no_run
/// # use redstream_core::{Batch, Redstream, Supervisor};
/// # async fn serve_requests() {}
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let cities = Redstream::connect("redis://127.0.0.1/").await?.stream("cities")?;
/// let workers = Supervisor::new()
///     .with(cities.consumer("search", async |batch: Batch| { println!("{} changes", batch.len()); Ok(()) }))
///     .start()?;
/// serve_requests().await;
/// workers.shutdown().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "dropping the handle stops the workers at once"]
pub struct SupervisorHandle {
    pub(super) kept: Vec<Kept>,
    pub(super) health: Health,
    pub(super) grace: Duration,
    /// Tells the workers to stop when the handle is dropped.
    pub(super) shutdown: DropGuard,
}

impl SupervisorHandle {
    /// The workers' health; the same view as [`Supervisor::health`](crate::Supervisor::health).
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Tells all workers to stop: they read nothing more, handlers finish and commit within the
    /// [grace period](crate::Supervisor::grace), and the locks are released.
    ///
    /// Dropping the future stops what is not finished.
    ///
    /// # Errors
    ///
    /// [`Error::GraceExceeded`] if some workers did not finish in time and were stopped.
    pub async fn shutdown(self) -> Result<()> {
        let Self { mut kept, grace, shutdown, .. } = self;
        tracing::info!(workers = kept.len(), ?grace, "stopping: workers finish what they have begun");
        shutdown.disarm().cancel();
        let deadline = deadline(grace);
        let mut late = Vec::new();
        for worker in &mut kept {
            if tokio::time::timeout_at(deadline, &mut worker.task).await.is_err() {
                late.push(worker.name.clone());
            }
        }
        if late.is_empty() { Ok(()) } else { Err(Error::GraceExceeded { workers: late, grace }) }
    }
}

/// The task that runs a worker and restarts it; dropping it stops the worker.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) task: JoinHandle<()>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.task.abort();
    }
}
