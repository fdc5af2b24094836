//! The health of a supervisor's workers: for probes, and for a graceful way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::worker::status::{Neglected, WorkerState, WorkerStatus};

/// A view of a running [`Supervisor`](crate::Supervisor), from [`Supervisor::health`](crate::Supervisor::health). Cheap to
/// clone; hand it to the handlers of your probes.
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
    /// What it is at.
    pub state: WorkerState,
    /// How long ago it last got anything done, or found nothing to do.
    pub since_progress: Duration,
    /// How often it was restarted after a panic or an error.
    pub restarts: u32,
    /// Workers that its stream needs, and that no host runs, as this consumer saw lately. Empty on a standby.
    pub neglected: Vec<Neglected>,
    /// How much of its work it cannot do, and passes over: see [`WorkerStatus::set_aside`](crate::WorkerStatus::set_aside). It takes part in neither
    /// probe: a restart would mend nothing.
    pub set_aside: u64,
}

impl Health {
    /// Whether each worker gets on, or has nothing to do: for a liveness probe.
    ///
    /// One that is at work, or fails, without any progress for longer than
    /// [`patience`](crate::Supervisor::patience) is not alive; nor is one that takes its lock and loses it again and again for as
    /// long, and gets nothing done; nor is one that ended for good. One that Redis [refuses](WorkerState::Refused) is alive: a
    /// restart would not make room in a Redis that is full.
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

    /// Whether each worker is connected, and at work or standing by: for a readiness probe. Not ready any more once told to be
    /// [drain](Self::drain).
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

    /// Delayers and trimmers that no host runs, though a stream of these consumers needs them; each once. Neither
    /// [`is_live`](Self::is_live) nor [`is_ready`](Self::is_ready) goes by it, since to restart this process is no remedy: alert on it.
    pub fn neglected(&self) -> Vec<Neglected> {
        let mut all: Vec<Neglected> = Vec::new();
        for one in self.workers.iter().flat_map(|worker| worker.status.neglected()) {
            if !all.iter().any(|known| known.is_alike(&one)) {
                all.push(one);
            }
        }
        all
    }

    /// Has all workers finish what they have at hand, commit it, hand over, and take on nothing more. The supervisor runs
    /// on until it is told to stop, and then stops at once: drain first, then stop, is the smoothest way out.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Whether every worker has come to rest after [`drain`](Self::drain).
    pub fn is_drained(&self) -> bool {
        self.workers.iter().all(|worker| worker.status.state() == WorkerState::Stopped)
    }
}
