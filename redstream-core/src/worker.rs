//! The trait of all workers: named, and run until they are told to stop.
//!
//! [`leadership`]: the loop of a worker that works while it holds a [`lock`]. [`holder`]: the process that a lock
//! names. [`member`]: the names and keys of a consumer. [`status`]: the state that a worker publishes, of which
//! [`health`] is a view. [`supervisor`]: runs workers.
//!
//! Does not know any particular worker. Uses the root handle, the transport and what is below them.

mod health;
pub(crate) mod holder;
pub(crate) mod leadership;
pub(crate) mod lock;
pub(crate) mod member;
pub(crate) mod status;
mod supervisor;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::error::Result;

pub use health::{Health, WorkerHealth};
pub use holder::Holder;
pub use lock::{Lock, LockGuard};
pub use member::Start;
pub use status::{Neglected, WorkerState, WorkerStatus};
pub use supervisor::{Supervisor, SupervisorHandle, stop_signal};

/// A consumer, a delayer, a trimmer, or a worker of your own, to be run by a [`Supervisor`].
#[async_trait]
pub trait Worker: Send + Sync + 'static {
    /// For logs and errors, such as `consumer search of cities`.
    fn name(&self) -> String;

    /// Checks its options. The supervisor checks every worker before it starts any.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The state that it publishes. Default: none; it then counts as alive while it runs.
    fn status(&self) -> Option<WorkerStatus> {
        None
    }

    /// Works until `shutdown` is cancelled, then finishes what it has begun and returns `Ok`.
    ///
    /// An error means that it cannot continue by itself; the supervisor restarts it after a pause.
    async fn run(&self, shutdown: CancellationToken) -> Result<()>;
}

/// The message of a panic, if it is text.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(no message)".to_owned())
}
