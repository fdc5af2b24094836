//! One worker that runs all shards.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::rebalance::{Group, Rebalancer};
use crate::error::Result;
use crate::transport::options::bounded;
use crate::worker::leadership::Leader;
use crate::worker::{Worker, WorkerStatus};

/// The [`Consumer`](crate::Consumer)s, [`Delayer`](crate::Delayer)s or [`Trimmer`](crate::Trimmer)s of all shards as
/// one worker, made by [`Shards`](crate::Shards). Run it on every host.
///
/// The hosts distribute the shards evenly: soon after one joins or leaves, none holds two more than another. They agree
/// in *rounds*: in each, a host announces that it is alive, reads which host holds what, acquires free shards up to its
/// share, and beyond it while no other host holds fewer, and releases at once what it has beyond its share if another
/// holds two fewer. It finishes and commits its batches first, so no message is handled twice because of that. With the
/// usual TTL of 5 seconds hosts are balanced within 10 seconds of a start or a join, unless batches take longer, and
/// the shards of a dead host are taken over a second after their locks' TTL.
///
/// If one shard's worker fails permanently (a poison message and [`OnPoison::Stop`](crate::OnPoison::Stop), a consumer
/// that was forgotten), the workers of all shards stop on this host.
pub struct Sharded<W> {
    title: String,
    hosts: String,
    shards: Vec<W>,
    /// No shard is acquired before this gate is open.
    gate: Option<String>,
    round: Option<Duration>,
    status: WorkerStatus,
}

impl<W> Sharded<W> {
    pub(super) fn new(title: String, hosts: String, shards: Vec<W>) -> Self {
        Self { title, hosts, shards, gate: None, round: None, status: WorkerStatus::default() }
    }

    pub(super) fn behind(mut self, gate: String) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Sets the options of each shard's worker: `.each(|consumer| consumer.batch_size(100))`.
    #[must_use]
    pub fn each(mut self, options: impl FnMut(W) -> W) -> Self {
        self.shards = self.shards.into_iter().map(options).collect();
        self
    }

    /// The worker of each shard, by number.
    pub fn shards(&self) -> &[W] {
        &self.shards
    }

    /// The time between two rounds, each randomly up to a quarter shorter or longer. A host counts as dead after two
    /// rounds without a heartbeat. Default: half the TTL of the locks, so 2.5 seconds.
    ///
    /// Should not be longer than the default: otherwise a dead host would still be counted after its shards are free,
    /// and the others would leave them unowned for that time.
    #[must_use]
    pub fn round(mut self, round: Duration) -> Self {
        self.round = Some(round);
        self
    }
}

#[async_trait]
impl<W: Leader + Clone> Worker for Sharded<W> {
    fn name(&self) -> String {
        self.title.clone()
    }

    fn check(&self) -> Result<()> {
        if let Some(round) = self.round {
            bounded("round", round)?;
        }
        self.shards.iter().try_for_each(Worker::check)
    }

    fn status(&self) -> Option<WorkerStatus> {
        Some(self.status.clone())
    }

    async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        self.check()?;
        // There is at least one shard.
        let Some(first) = self.shards.first() else { return Ok(()) };
        let redstream = first.redstream().clone();
        let round = self.round.unwrap_or(first.lock().ttl() / 2);
        let group = Group {
            title: self.title.clone(),
            hosts: self.hosts.clone(),
            gate: self.gate.clone(),
            round,
            status: self.status.clone(),
            workers: self.shards.clone(),
        };
        Rebalancer::new(group, redstream).run(&shutdown).await
    }
}

impl<W> fmt::Debug for Sharded<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharded").field("title", &self.title).field("round", &self.round).finish_non_exhaustive()
    }
}
