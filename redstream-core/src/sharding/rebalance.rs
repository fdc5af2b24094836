//! The rounds in which a host takes and gives up shards.
//!
//! The loop that shows that the host lives is the very one that takes shards: a host whose loop hangs is not waited
//! for by the others.

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

/// How much later than a lock lapses it is looked at.
const JUST_AFTER: Duration = Duration::from_millis(20);

/// What came of one round.
struct Round {
    took: bool,
    /// When something falls free that a host left behind which seems to be gone.
    changes_in: Option<Duration>,
}

/// What the hosts share out: the workers of all shards, and what they have in common.
pub(super) struct Group<W> {
    pub(super) title: String,
    /// The key of the hosts' heartbeats.
    pub(super) hosts: String,
    /// Nothing is taken before this gate is open.
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
    /// A gate that was closed when last looked at.
    gate: Option<String>,
    /// The shards that are worked at here, each with what stops it.
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

    /// Until `shutdown`, or until a shard's worker fails for good; then all of them finish what they have begun.
    pub(super) async fn run(mut self, shutdown: &CancellationToken) -> Result<()> {
        let outcome = self.rounds(shutdown).await;
        self.bring_home().await;
        outcome
    }

    async fn rounds(&mut self, shutdown: &CancellationToken) -> Result<()> {
        while !shutdown.is_cancelled() {
            // A round is never cut off, since that could leave a lock taken and no worker at work; each of its steps is
            // bounded.
            let round = self.round(shutdown).await;
            if round.is_ok() {
                self.outages().recovered(&self.title);
            }
            let pause = match round {
                // Where this host took its turn others may take theirs, and then there may be more to take.
                Ok(Round { took: true, .. }) => jittered(self.round / 8),
                // A moment later, so that Redis sees it as free.
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

    /// One round: shows that this host lives, then gives up shards, or takes some.
    async fn round(&mut self, shutdown: &CancellationToken) -> Result<Round> {
        self.register().await?;
        let begun = Instant::now();
        // Two rounds are one TTL: about when the shards of a dead host fall free, and not much later.
        let view = self.host.look(&self.redstream, &self.hosts, self.round * 2, &self.locks).await?;
        self.release(view.surplus(self.held.values().filter(|stop| !stop.is_cancelled()).count()));
        let closed = self.is_gate_closed().await?;
        let (mut spare, mut took) = (None, false);
        for shard in rotated(view.free.clone()) {
            let not_now = closed || begun.elapsed() > self.round || shutdown.is_cancelled();
            if not_now || self.held.contains_key(&shard) || !view.may_take(self.held.len()) {
                break;
            }
            took |= self.take(shard, &mut spare, shutdown).await?;
        }
        self.status.troubles_of(self.workers.iter().map(Leader::own_status));
        self.status.sum_up(self.held.keys().map(|shard| self.workers[*shard].own_status()));
        Ok(Round { took, changes_in: view.changes_in })
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

    /// Makes the consumer known to every shard from the start, so that trimming waits for it wherever it is
    /// behind.
    async fn register(&mut self) -> Result<()> {
        if !self.registered {
            try_join_all(self.locks.iter().map(Lock::register_now)).await?;
            self.registered = true;
        }
        Ok(())
    }

    /// Has so many shards finish and commit their batches; then they are given back.
    fn release(&self, surplus: usize) {
        for (shard, stop) in self.held.iter().rev().filter(|(_, stop)| !stop.is_cancelled()).take(surplus) {
            tracing::info!(worker = self.workers[*shard].name(), "another host has less to do: shard given up");
            stop.cancel();
        }
    }

    /// Takes a shard, where it is still free, and sets to work. `spare`: a session that the last attempt left unused.
    async fn take(&mut self, shard: usize, spare: &mut Option<Session>, shutdown: &CancellationToken) -> Result<bool> {
        let session = match spare.take() {
            Some(session) => session,
            None => Session::open(self.redstream.link().connector()).await?,
        };
        match self.locks[shard].attempt_with(&session, self.host.token()).await? {
            Attempt::Acquired(guard) => {
                let stop = shutdown.child_token();
                let status = self.workers[shard].own_status();
                status.set_patience(self.status.patience());
                status.progress(WorkerState::Idle);
                self.held.insert(shard, stop.clone());
                self.tasks.spawn(work(shard, self.workers[shard].clone(), session, guard, stop));
                Ok(true)
            }
            Attempt::Held { .. } | Attempt::Paused => {
                *spare = Some(session);
                Ok(false)
            }
        }
    }

    /// Lets the shards work until then, or until `shutdown`.
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

    /// A shard is no longer worked at here. What a wait can mend is left to a later round, here or elsewhere.
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
                    // Whichever host takes the shard next goes on from what is stored; this one looks in the next round.
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

/// Works at one shard until `stop`, and gives it back.
async fn work<W: Leader>(
    shard: usize,
    worker: W,
    session: Session,
    guard: LockGuard,
    stop: CancellationToken,
) -> (usize, Result<()>) {
    tracing::info!(worker = worker.name(), offset = ?guard.found().offset, "lock taken: at work");
    let outcome = match worker.introduce(&session).await {
        Ok(()) => worker.work(&session, &guard, &stop).await,
        refused => refused,
    };
    let released = guard.release().await;
    (shard, outcome.and(released))
}

/// Up to a quarter shorter or longer, so that hosts do not march in step.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.75 + 0.5 * f64::from(chance()) / f64::from(u32::MAX))
}

/// From anywhere on, so that hosts do not all reach for the same one.
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
