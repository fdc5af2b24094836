//! What a [`Redstream`] does for entities.

use std::sync::Arc;

use redstream_core::{Redstream, Result, SyncToken};
use sea_orm::{ConnectionTrait, TransactionTrait};

use crate::connection::StreamedConnection;
use crate::entity::key::Key;
use crate::entity::streamed::{Streamed, messages};
use crate::entity::streams::{EntityStream, entity_stream};
use crate::error::Error;
use crate::index::loader::{Loader, Rows};
use crate::index::scan::Scan;
use crate::reindex::Reindex;
use crate::swap::Swap;
use crate::swap::switch::Switch;
use crate::verify::Verify;
use crate::workers::Workers;

/// `redstream.of::<city::Entity>()`: the stream of an entity, and its workers;
/// `redstream.reindex::<city::Entity>(&db)`: all its rows again; `redstream.workers(&db)`: the workers of all entities.
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

    /// Queues the key of every row of the entity, so that consumers read them all: to fill a new index, or to repair a
    /// wrong one. See [`Reindex`], which runs it.
    ///
    /// Only keys are read from `db`: any connection will do, also a plain one, a transaction, or a replica that has all
    /// rows that were committed before the consumer was registered.
    fn reindex<'a, E: Streamed>(&self, db: &'a impl ConnectionTrait) -> Reindex<'a, E>;

    /// Fills a new index, and has the searches use it in place of the old one: without a pause, and without a search
    /// that sees a part of it. `consumer` writes the new index. See [`Swap`], which runs it.
    ///
    /// `db` as for [`reindex`](Self::reindex).
    fn swap<'a, E: Streamed>(
        &self,
        db: &'a impl ConnectionTrait,
        index: impl Switch<E> + 'a,
        consumer: impl Into<String>,
    ) -> Swap<'a, E>;

    /// All workers of the application, from its models: `redstream.workers(&db).index("search", documents, sink)`. See
    /// [`Workers`].
    fn workers<C>(&self, db: &StreamedConnection<C>) -> Workers<C>
    where
        C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
        C::Transaction: Send + Sync + 'static;

    /// Compares the rows of the entity with what the sink has of them. See [`Verify`], which runs it.
    ///
    /// `db` and `sink` are those of the [`Indexer`](crate::Indexer): it reads through the primary database itself, not
    /// a replica with replication lag.
    fn verify<'a, E: Streamed<Model: Sync>>(
        &self,
        db: &'a (impl ConnectionTrait + Send + 'static),
        sink: &'a impl Scan<E>,
    ) -> Verify<'a, E>;

    /// The same for an indexer [with a loader](crate::Indexer::with_loader). A record that the loader leaves out must
    /// have no document.
    fn verify_with_loader<'a, E, C, L, S>(&self, db: &'a C, loader: L, sink: &'a S) -> Verify<'a, E>
    where
        E: Streamed,
        C: ConnectionTrait + Send + Sync + 'static,
        L: Loader<E, C>,
        S: Scan<E, L::Record>;

    /// Queues these keys, so that consumers read their rows: for a list that fits in memory, such as the rows that a
    /// script has written. A key without a row makes consumers delete its document.
    ///
    /// It is not throttled by the consumers. Returns a token with which to
    /// [wait for them](redstream_core::Redstream::wait_until_synced).
    ///
    /// ```no_run
    /// # mod city {
    /// #     use redstream_seaorm::Streamed;
    /// #     use sea_orm::entity::prelude::*;
    /// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    /// #     #[sea_orm(table_name = "cities")]
    /// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
    /// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    /// #     pub enum Relation {}
    /// # }
    /// # use std::time::Duration;
    /// # use redstream_seaorm::{Key, Redstream, RedstreamExt};
    /// # async fn example(redstream: Redstream) -> Result<(), Box<dyn std::error::Error>> {
    /// let queued = redstream.reindex_keys([1, 2, 3].map(Key::<city::Entity>::new)).await?;
    /// redstream.wait_until_synced("search", &queued, Duration::from_secs(5)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As a save, if no message can be made of a key or the entity has no stream; [`Error::NotAnnounced`] if Redis does
    /// not take the messages: some of them may have been queued then.
    fn reindex_keys<E: Streamed>(
        &self,
        keys: impl IntoIterator<Item = Key<E>>,
    ) -> impl Future<Output = Result<SyncToken, Error>> + Send;
}

impl RedstreamExt for Redstream {
    fn of<E: Streamed>(&self) -> Result<EntityStream> {
        entity_stream::<E>(self)
    }

    fn reindex<'a, E: Streamed>(&self, db: &'a impl ConnectionTrait) -> Reindex<'a, E> {
        Reindex::new(self.clone(), db)
    }

    fn swap<'a, E: Streamed>(
        &self,
        db: &'a impl ConnectionTrait,
        index: impl Switch<E> + 'a,
        consumer: impl Into<String>,
    ) -> Swap<'a, E> {
        Swap::new(self.clone(), db, index, consumer.into())
    }

    fn workers<C>(&self, db: &StreamedConnection<C>) -> Workers<C>
    where
        C: ConnectionTrait + TransactionTrait + Clone + Send + Sync + 'static,
        C::Transaction: Send + Sync + 'static,
    {
        Workers::new(self.clone(), db.clone())
    }

    fn verify<'a, E: Streamed<Model: Sync>>(
        &self,
        db: &'a (impl ConnectionTrait + Send + 'static),
        sink: &'a impl Scan<E>,
    ) -> Verify<'a, E> {
        Verify::borrowing(self, db, Rows, sink)
    }

    fn verify_with_loader<'a, E, C, L, S>(&self, db: &'a C, loader: L, sink: &'a S) -> Verify<'a, E>
    where
        E: Streamed,
        C: ConnectionTrait + Send + Sync + 'static,
        L: Loader<E, C>,
        S: Scan<E, L::Record>,
    {
        Verify::borrowing(self, db, loader, sink)
    }

    fn reindex_keys<E: Streamed>(
        &self,
        keys: impl IntoIterator<Item = Key<E>>,
    ) -> impl Future<Output = Result<SyncToken, Error>> + Send {
        // Built outside the future, so that the future is `Send` whatever the keys come from.
        let messages = messages(&keys.into_iter().collect::<Vec<_>>());
        let producer = self.producer();
        async move {
            let messages = messages?;
            let ids = producer.queue_all(&messages).await.map_err(|error| Error::NotAnnounced(Arc::new(error)))?;
            let mut token = SyncToken::new();
            for (message, id) in messages.into_iter().zip(ids) {
                token.add(message, Some(id));
            }
            Ok(token)
        }
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for redstream_core::Redstream {}
}
