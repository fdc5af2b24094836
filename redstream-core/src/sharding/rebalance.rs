//! The rounds in which a host acquires and releases shards.
//!
//! The loop that announces that the host is alive is the same one that acquires shards: so the others do not wait for a
//! host whose loop hangs.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::generation::is_open;
use super::membership::Host;
use crate::error::{Error, Result};
use crate::redstream::Redstream;
use crate::transport::outages::Outages;
use crate::transport::session::Session;
use crate::worker::leadership::Leader;
use crate::worker::lock::Attempt;
use crate::worker::{Lock, LockGuard, WorkerState, WorkerStatus};

/// How long after the expiry of a lock it is checked.
const JUST_AFTER: Duration = Duration::from_millis(20);

/// The result of one round.
struct Round {
    acquired: bool,
    /// When a lock of a host that seems to be dead expires.
    changes_in: Option<Duration>,
}

/// What the hosts distribute: the workers of all shards, and their common settings.
pub(super) struct Group<W> {
    pub(super) title: String,
    /// The key of the hosts' heartbeats.
    pub(super) hosts: String,
    /// No shard is acquired before this gate is open.
    pub(super) gate: Option<String>,
    /// The time between two rounds.
    pub(super) round: Duration,
    pub(super) status: WorkerStatus,
    /// One of each shard, by number.
    pub(super) workers: Vec<W>,
}

/// The share of one host, while it runs.
pub(super) struct Rebalancer<W> {
    title: String,
    hosts: String,
    host: Host,
    redstream: Redstream,
    round: Duration,
    status: WorkerStatus,
    workers: Vec<W>,
    locks: Vec<Lock>,
    registered: bool,
    /// A gate that was closed when last checked.
    gate: Option<String>,
    /// The shards that this host works on, each with the token that stops it.
    held: BTreeMap<usize, CancellationToken>,
    tasks: JoinSet<(usize, Result<()>)>,
}

impl<W: Leader + Clone> Rebalancer<W> {
    pub(super) fn new(group: Group<W>, redstream: Redstream) -> Self {
        let Group { title, hosts, gate, round, status, workers } = group;
        Self {
            title,
            hosts,
            host: Host::new(),
            redstream,
            round,
            status,
            locks: workers.iter().map(Leader::lock).collect(),
            workers,
            registered: false,
            gate,
            held: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Runs until `shutdown`, or until a shard's worker fails permanently; then all workers finish what they have
    /// begun.
    pub(super) async fn run(mut self, shutdown: &CancellationToken) -> Result<()> {
        let outcome = self.rounds(shutdown).await;
        self.bring_home().await;
        outcome
    }

    async fn rounds(&mut self, shutdown: &CancellationToken) -> Result<()> {
        while !shutdown.is_cancelled() {
            // A round is never interrupted, since that could leave a lock taken without a worker; each of its steps is
            // bounded.
            let round = self.round(shutdown).await;
            if round.is_ok() {
                self.outages().recovered(&self.title);
            }
            let pause = match round {
                // After this host has acquired a shard the others may acquire one, and then there may be more to
                // acquire.
                Ok(Round { acquired: true, .. }) => jittered(self.round / 8),
                // Slightly later, so that Redis has expired it.
                Ok(Round { changes_in: Some(soon), .. }) => (soon + JUST_AFTER).min(jittered(self.round)),
                Ok(Round { .. }) => jittered(self.round),
                Err(error) if error.may_pass() => {
                    // Shards stay where they are until the next round.
                    self.status.failed(&error);
                    self.outages().failed(&self.title, &error, self.round);
                    jittered(self.round)
                }
                Err(error) => return Err(error),
            };
            self.work_until(Instant::now() + pause, shutdown).await?;
        }
        Ok(())
    }

    /// One round: announces that this host is alive, then releases or acquires shards.
    async fn round(&mut self, shutdown: &CancellationToken) -> Result<Round> {
        self.register().await?;
        let begun = Instant::now();
        // Two rounds are one TTL: a heartbeat expires about when the locks of a dead host do.
        let view = self.host.look(&self.redstream, &self.hosts, self.round * 2, &self.locks).await?;
        self.release(view.surplus(self.held.values().filter(|stop| !stop.is_cancelled()).count()));
        let closed = self.is_gate_closed().await?;
        let (mut spare, mut acquired) = (None, false);
        for shard in rotated(view.free.clone()) {
            let not_now = closed || begun.elapsed() > self.round || shutdown.is_cancelled();
            if not_now || self.held.contains_key(&shard) || !view.may_take(self.held.len()) {
                break;
            }
            acquired |= self.take(shard, &mut spare, shutdown).await?;
        }
        self.status.troubles_of(self.workers.iter().map(Leader::own_status));
        self.status.sum_up(self.held.keys().map(|shard| self.workers[*shard].own_status()));
        Ok(Round { acquired, changes_in: view.changes_in })
    }

    async fn is_gate_closed(&mut self) -> Result<bool> {
        let Some(gate) = &self.gate else { return Ok(false) };
        if !is_open(&self.redstream, gate).await? {
            tracing::debug!(worker = self.title, "gate closed: waits until the old generation is taken over");
            return Ok(true);
        }
        self.gate = None;
        Ok(false)
    }

    /// Registers the consumer with every shard from the start, so that trimming waits for it on each.
    async fn register(&mut self) -> Result<()> {
        if !self.registered {
            try_join_all(self.locks.iter().map(Lock::register_now)).await?;
            self.registered = true;
        }
        Ok(())
    }

    /// Stops this many shards after they have committed their current batches; their locks are then released.
    fn release(&self, surplus: usize) {
        for (shard, stop) in self.held.iter().rev().filter(|(_, stop)| !stop.is_cancelled()).take(surplus) {
            tracing::info!(worker = self.workers[*shard].name(), "another host has less to do: shard given up");
            stop.cancel();
        }
    }

    /// Acquires a shard if it is still free, and starts its worker. `spare`: a session that the last attempt left
    /// unused.
    async fn take(&mut self, shard: usize, spare: &mut Option<Session>, shutdown: &CancellationToken) -> Result<bool> {
        let session = match spare.take() {
            Some(session) => session,
            None => Session::open(self.redstream.link()).await?,
        };
        match self.locks[shard].attempt_with(&session, self.host.token()).await? {
            Attempt::Acquired(guard) => {
                let stop = shutdown.child_token();
                let status = self.workers[shard].own_status();
                status.set_patience(self.status.patience());
                status.progress(WorkerState::Idle);
                self.held.insert(shard, stop.clone());
                self.tasks.spawn(lead(shard, self.workers[shard].clone(), session, guard, stop));
                Ok(true)
            }
            Attempt::Held { .. } | Attempt::Paused => {
                *spare = Some(session);
                Ok(false)
            }
        }
    }

    /// Lets the shards work until `then`, or until `shutdown`.
    async fn work_until(&mut self, then: Instant, shutdown: &CancellationToken) -> Result<()> {
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                Some(ended) = self.tasks.join_next() => self.ended(ended)?,
                () = tokio::time::sleep_until(then) => return Ok(()),
            }
        }
    }

    /// Called when a shard's worker has ended here. A transient failure is left to a later round, on this or another
    /// host.
    fn ended(&mut self, ended: Result<(usize, Result<()>), JoinError>) -> Result<()> {
        let (shard, outcome) = match ended {
            Ok(ended) => ended,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return Ok(()), // the runtime is going away
            },
        };
        self.held.remove(&shard);
        match outcome {
            Err(error) if error.may_pass() => {
                self.workers[shard].own_status().lost();
                let worker = self.workers[shard].name();
                if let Error::LockLost { .. } | Error::Paused { .. } = error {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(
                        worker,
                        error,
                        "lock lost: whichever host takes the shard next goes on from what is stored"
                    );
                } else {
                    // The next owner of the shard continues from what is stored; this host checks again in the next
                    // round.
                    self.outages().failed(&self.title, &error, self.round);
                }
                Ok(())
            }
            other => other,
        }
    }

    fn outages(&self) -> &Outages {
        self.redstream.link().connector().outages()
    }

    async fn bring_home(&mut self) {
        self.held.values().for_each(CancellationToken::cancel);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = self.ended(ended) {
                let error = &error as &dyn std::error::Error;
                tracing::error!(worker = self.title, error, "a shard's worker failed while all were stopping");
            }
        }
        self.outages().recovered(&self.title);
        if let Err(error) = self.host.leave(&self.redstream, &self.hosts).await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(worker = self.title, error, "the other hosts will notice later that this one is gone");
        }
    }
}

/// Works on one shard until `stop`, and releases it.
async fn lead<W: Leader>(
    shard: usize,
    worker: W,
    session: Session,
    guard: LockGuard,
    stop: CancellationToken,
) -> (usize, Result<()>) {
    tracing::info!(worker = worker.name(), offset = ?guard.found().offset, "lock taken: at work");
    let outcome = match worker.introduce(&session).await {
        Ok(()) => worker.lead(&session, &guard, &stop).await,
        refused => refused,
    };
    let released = guard.release().await;
    (shard, outcome.and(released))
}

/// Randomly up to a quarter shorter or longer, so that hosts do not act at the same time.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.75 + 0.5 * f64::from(chance()) / f64::from(u32::MAX))
}

/// Rotated by a random offset, so that hosts do not all try the same shard.
fn rotated(mut shards: Vec<usize>) -> Vec<usize> {
    if !shards.is_empty() {
        let start = chance() as usize % shards.len();
        shards.rotate_left(start);
    }
    shards
}

fn chance() -> u32 {
    uuid::Uuid::new_v4().as_fields().0
}
