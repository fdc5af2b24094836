//! The streams of entities, and their workers: their names and shards are declared once, at the model.

use std::time::Duration;

use async_trait::async_trait;
use redstream_core::{
    CancellationToken, Consumer, Delayer, Error, Handler, KeySource, Redstream, Reindexes, Result, Sharded, Shards,
    Stream, Trimmer, Walk, Worker, WorkerStatus,
};

use crate::entity::streamed::{Streamed, named_by_attribute, stream_name, table};

/// The stream of an entity, or its shards; see [`RedstreamExt::of`](crate::RedstreamExt::of).
pub(crate) fn entity_stream<E: Streamed>(redstream: &Redstream) -> Result<EntityStream> {
    if !E::HAS_STREAM {
        let reason = format!("`{}` is streamed for its parents only: read the parents' streams", table::<E>());
        return Err(Error::InvalidOption { option: "parents_only", reason });
    }
    Ok(match E::shards() {
        None => EntityStream::Whole(redstream.stream(stream_name::<E>()?)?),
        Some(count) => {
            let shards = redstream.shards(E::stream(), count).map_err(named_by_attribute)?;
            EntityStream::Sharded(shards.generation(E::generation())?)
        }
    })
}

/// The stream of an entity, whole or in shards, made by [`RedstreamExt::of`](crate::RedstreamExt::of). Cheap to clone.
#[derive(Clone, Debug)]
pub enum EntityStream {
    /// One stream.
    Whole(Stream),
    /// Split into shards.
    Sharded(Shards),
}

impl EntityStream {
    /// A consumer of that name; see [`Stream::consumer`] and [`Shards::consumer`]. Its options are set by
    /// [`each`](EntityWorker::each).
    pub fn consumer(&self, name: impl Into<String>, handler: impl Handler) -> EntityWorker<Consumer> {
        match self {
            Self::Whole(stream) => EntityWorker::Whole(stream.consumer(name, handler)),
            Self::Sharded(shards) => EntityWorker::Sharded(shards.consumer(name, handler)),
        }
    }

    /// The worker that re-queues each delay message after `delay`; see [`Stream::delayer`].
    pub fn delayer(&self, delay: Duration) -> EntityWorker<Delayer> {
        match self {
            Self::Whole(stream) => EntityWorker::Whole(stream.delayer(delay)),
            Self::Sharded(shards) => EntityWorker::Sharded(shards.delayer(delay)),
        }
    }

    /// The worker that removes messages that every consumer has committed.
    pub fn trimmer(&self) -> EntityWorker<Trimmer> {
        match self {
            Self::Whole(stream) => EntityWorker::Whole(stream.trimmer()),
            Self::Sharded(shards) => EntityWorker::Sharded(shards.trimmer()),
        }
    }

    /// The records of the entity's reindexes: to list, pause, resume and abort them.
    pub fn reindexes(&self) -> Reindexes {
        match self {
            Self::Whole(stream) => stream.reindexes(),
            Self::Sharded(shards) => shards.reindexes(),
        }
    }

    pub(crate) fn reindex<S: KeySource>(&self, source: S) -> Walk<S> {
        match self {
            Self::Whole(stream) => stream.reindex(source),
            Self::Sharded(shards) => shards.reindex(source),
        }
    }

    /// The stream, or each shard by number, for operations on one stream, such as its lag or its dead letters.
    pub fn streams(&self) -> &[Stream] {
        match self {
            Self::Whole(stream) => std::slice::from_ref(stream),
            Self::Sharded(shards) => shards.streams(),
        }
    }
}

/// The consumer, delayer or trimmer of an entity's stream, made by [`EntityStream`]. Run it on every host.
#[derive(Debug)]
pub enum EntityWorker<W> {
    /// Of one stream.
    Whole(W),
    /// Of all shards.
    Sharded(Sharded<W>),
}

impl<W> EntityWorker<W> {
    /// Sets the worker's options, the same in every shard: `.each(|consumer| consumer.batch_size(100))`.
    #[must_use]
    pub fn each(self, mut options: impl FnMut(W) -> W) -> Self {
        match self {
            Self::Whole(worker) => Self::Whole(options(worker)),
            Self::Sharded(workers) => Self::Sharded(workers.each(options)),
        }
    }
}

#[async_trait]
impl<W> Worker for EntityWorker<W>
where
    W: Worker,
    Sharded<W>: Worker,
{
    fn name(&self) -> String {
        self.worker().name()
    }

    fn check(&self) -> Result<()> {
        self.worker().check()
    }

    fn status(&self) -> Option<WorkerStatus> {
        self.worker().status()
    }

    async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        self.worker().run(shutdown).await
    }
}

impl<W> EntityWorker<W>
where
    W: Worker,
    Sharded<W>: Worker,
{
    fn worker(&self) -> &dyn Worker {
        match self {
            Self::Whole(worker) => worker,
            Self::Sharded(workers) => workers,
        }
    }
}
