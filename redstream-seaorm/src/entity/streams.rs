//! The streams of entities, and their workers: their names and shards are declared once, at the model.

use std::time::Duration;

use async_trait::async_trait;
use redstream_core::{
    CancellationToken, Consumer, Delayer, Error, Handler, Redstream, Result, Sharded, Shards, Stream, Trimmer, Worker,
    WorkerStatus,
};

use crate::entity::streamed::{Streamed, named_by_attribute, stream_name, table};

/// `redstream.of::<city::Entity>()`: the stream of an entity, and its workers.
///
/// Implemented only for [`Redstream`].
pub trait RedstreamExt: sealed::Sealed {
    /// The stream that the entity's messages go to, or its shards: as [`Streamed::stream`], [`Streamed::shards`] and
    /// [`Streamed::generation`] say. So writers and workers cannot differ.
    ///
    /// Does not talk to Redis.
    ///
    /// # Errors
    ///
    /// If the name is not usable; [`Error::InvalidOption`] if the number of shards or the generation is zero, or if the
    /// entity is streamed for its parents only.
    ///
    /// ```no_run
    /// # mod city {
    /// #     use redstream_seaorm::Streamed;
    /// #     use sea_orm::entity::prelude::*;
    /// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    /// #     #[sea_orm(table_name = "cities")]
    /// #     #[streamed(shards = 4)]
    /// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
    /// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    /// #     pub enum Relation {}
    /// # }
    /// # use std::time::Duration;
    /// # use redstream_seaorm::{Batch, RedstreamExt, Redstream, Supervisor};
    /// # async fn example(redstream: Redstream) -> Result<(), Box<dyn std::error::Error>> {
    /// let cities = redstream.of::<city::Entity>()?;
    /// Supervisor::new()
    ///     .with(cities.consumer("search", async |batch: Batch| Ok(println!("{} changed", batch.len()))))
    ///     .with(cities.delayer(Duration::from_secs(300)))
    ///     .with(cities.trimmer())
    ///     .run_until_signal()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    fn of<E: Streamed>(&self) -> Result<EntityStream>;
}

impl RedstreamExt for Redstream {
    fn of<E: Streamed>(&self) -> Result<EntityStream> {
        if !E::HAS_STREAM {
            let reason = format!("`{}` is streamed for its parents only: read the parents' streams", table::<E>());
            return Err(Error::InvalidOption { option: "parents_only", reason });
        }
        Ok(match E::shards() {
            None => EntityStream::Whole(self.stream(stream_name::<E>()?)?),
            Some(count) => {
                let shards = self.shards(E::stream(), count).map_err(named_by_attribute)?;
                EntityStream::Sharded(shards.generation(E::generation())?)
            }
        })
    }
}

/// The stream of an entity, whole or in shards, made by [`RedstreamExt::of`]. Cheap to clone.
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

mod sealed {
    pub trait Sealed {}
    impl Sealed for redstream_core::Redstream {}
}
