//! What every worker is: something with a name that runs until it is told to stop.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::{Pulse, Result};

/// A consumer, a delayer, a trimmer, or a worker of your own, to be run by a
/// [`Supervisor`](crate::Supervisor).
#[async_trait]
pub trait Worker: Send + Sync + 'static {
    /// For logs and errors, such as `consumer search of cities`.
    fn name(&self) -> String;

    /// Whether its options can work. The supervisor asks every worker before it starts any.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Where it shows what it is at. Default: nowhere; it then counts as alive while it runs.
    fn pulse(&self) -> Option<Pulse> {
        None
    }

    /// Works until `shutdown` is cancelled, then finishes what it has begun and returns `Ok`.
    ///
    /// An error means that it cannot go on by itself; the supervisor starts it anew after a pause.
    async fn run(&self, shutdown: CancellationToken) -> Result<()>;
}
