//! The health of a supervisor's workers: for probes, and for a graceful shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::worker::status::{Neglected, WorkerState, WorkerStatus};

/// A view of a running [`Supervisor`](crate::Supervisor), from [`Supervisor::health`](crate::Supervisor::health). Cheap
/// to clone; pass it to the handlers of your probes.
#[derive(Clone, Debug)]
pub struct Health {
    pub(crate) workers: Arc<[Watched]>,
    pub(crate) drain: CancellationToken,
    pub(crate) patience: Duration,
}

#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) status: WorkerStatus,
    pub(crate) restarts: AtomicU32,
}

/// One worker, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerHealth {
    /// Such as `consumer search of cities`.
    pub name: String,
    /// Its state.
    pub state: WorkerState,
    /// How long ago it last made progress, or found no work.
    pub since_progress: Duration,
    /// How often it was restarted after a panic or an error.
    pub restarts: u32,
    /// Workers that its stream needs and that no host runs, as detected by this consumer. Empty on a standby.
    pub neglected: Vec<Neglected>,
    /// How much of its work it cannot do and skips: see [`WorkerStatus::set_aside`](crate::WorkerStatus::set_aside). It
    /// affects neither probe: a restart would not help.
    pub set_aside: u64,
}

impl Health {
    /// Whether each worker makes progress or has no work: for a liveness probe.
    ///
    /// A worker that works or fails without any progress for longer than [`patience`](crate::Supervisor::patience) is
    /// not alive; nor is a worker that acquires and loses its lock repeatedly for as long without progress; nor is a
    /// worker that ended permanently. A worker that Redis [refuses](WorkerState::Refused) is alive: a restart would not
    /// free memory in a full Redis.
    pub fn is_live(&self) -> bool {
        self.workers.iter().all(|worker| match worker.status.state() {
            WorkerState::Refused => true,
            WorkerState::Stopped => self.drain.is_cancelled(),
            _ if worker.status.loses_for_too_long() => false,
            WorkerState::Idle | WorkerState::Standby => true,
            WorkerState::Starting | WorkerState::Working | WorkerState::Failing => {
                worker.status.since_progress() < self.patience
            }
        })
    }

    /// Whether each worker is connected, and at work or standing by: for a readiness probe. False once
    /// [`drain`](Self::drain) was called.
    pub fn is_ready(&self) -> bool {
        let connected =
            |condition| matches!(condition, WorkerState::Idle | WorkerState::Standby | WorkerState::Working);
        !self.drain.is_cancelled() && self.workers().iter().all(|worker| connected(worker.state))
    }

    /// Each worker, in the order in which they were given.
    pub fn workers(&self) -> Vec<WorkerHealth> {
        let look = |worker: &Watched| WorkerHealth {
            name: worker.name.clone(),
            state: worker.status.state(),
            since_progress: worker.status.since_progress(),
            restarts: worker.restarts.load(Ordering::Relaxed),
            neglected: worker.status.neglected(),
            set_aside: worker.status.set_aside(),
        };
        self.workers.iter().map(look).collect()
    }

    /// Delayers and trimmers that no host runs, though a stream of these consumers needs them; each once. They affect
    /// neither [`is_live`](Self::is_live) nor [`is_ready`](Self::is_ready), since restarting this process does not
    /// help: alert on it.
    pub fn neglected(&self) -> Vec<Neglected> {
        let mut all: Vec<Neglected> = Vec::new();
        for one in self.workers.iter().flat_map(|worker| worker.status.neglected()) {
            if !all.iter().any(|known| known.is_alike(&one)) {
                all.push(one);
            }
        }
        all
    }

    /// Drains the workers: each commits its current batch, releases its lock and takes no new work. The supervisor
    /// keeps running until it is told to stop, and then stops at once: drain first, then stop.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Whether every worker is idle after [`drain`](Self::drain).
    pub fn is_drained(&self) -> bool {
        self.workers.iter().all(|worker| worker.status.state() == WorkerState::Stopped)
    }
}
