//! # SeaORM models whose every committed change reaches your search index, cache or other database
//!
//! Derive [`Streamed`](macro@Streamed) on a model, write through a [`StreamedConnection`], and run the workers from
//! `main`:
//!
//! ```no_run
//! # mod city {
//! use redstream_seaorm::Streamed;
//! use sea_orm::entity::prelude::*;
//!
//! #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
//! #[sea_orm(table_name = "cities")]
//! pub struct Model {
//!     #[sea_orm(primary_key)]
//!     pub id: i64,
//!     pub name: String,
//! }
//! # #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
//! # pub enum Relation {}
//! # }
//! # use std::time::Duration;
//! # use redstream_seaorm::{Changes, Entities, HandlerError, Indexer, Redstream, Sink, StreamedConnection, Supervisor};
//! # use sea_orm::{ActiveModelTrait, Database, Set, TransactionTrait};
//! # struct SearchIndex;
//! # #[async_trait::async_trait]
//! # impl Sink<city::Entity> for SearchIndex {
//! #     async fn write(&self, _: Changes<city::Entity>) -> Result<(), HandlerError> { Ok(()) }
//! # }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let redstream = Redstream::connect("redis://127.0.0.1/").await?;
//! let db = StreamedConnection::new(Database::connect("sqlite://cities.db").await?, redstream.producer());
//!
//! let txn = db.begin().await?;
//! let city = city::ActiveModel { name: Set("Ulm".to_owned()), ..Default::default() };
//! city.insert(&txn).await?;    // sends the delay message
//! txn.commit().await?;         // waits for its acknowledgement, commits, sends the main message
//!
//! let cities = redstream.of::<city::Entity>()?;
//! Supervisor::new()
//!     .with(cities.consumer("search", Indexer::new(db.clone(), SearchIndex)))
//!     .with(cities.delayer(Duration::from_secs(300)))
//!     .with(cities.trimmer())
//!     .run_until_signal()
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! # How a change is followed
//!
//! SeaORM calls the hooks of the model's `ActiveModelBehavior` before and after a save, but has none for a commit.
//! [`StreamedConnection`] and [`StreamedTransaction`] wrap SeaORM's types and implement its traits, so that commits pass
//! through them. A [hook](hooks) finds the wrapper behind whatever connection it is given, and refuses the write where
//! there is none: a change that could have been followed and was not is an error, not a silence.
//!
//! Within a transaction a save hands over its delay message and does not wait. The commit waits for all of them, commits, and
//! sends the main messages in one pipeline, each key once. Savepoints are followed: what one rolls back is not announced.
//! A save outside a transaction gets one of its own.
//!
//! Hooks do not run for `update_many`, `delete_many`, `insert_many` and raw SQL: wrap those with bulk operations. Where
//! one is forgotten, the [`BypassGuard`] warns before the statement runs.
//!
//! A commit needs Redis, or the [`outbox`]: that is the connection's [`Insurance`].
//!
//! [`Indexer`] is the handler that reads the rows back and hands them to a [`Sink`]. The engine itself, with all that a
//! worker can be told, is in [`core`].

mod allow;
mod ambient;
mod answer;
mod aside;
mod attended;
mod batch;
mod beside;
mod bulk;
mod called;
mod cascade;
#[cfg(feature = "chaos")]
#[doc(hidden)]
pub mod chaos;
#[cfg(not(feature = "chaos"))]
mod chaos;
mod connection;
mod context;
mod delays;
pub mod drop_in;
mod ended;
mod engines;
mod entities;
mod error;
mod executor;
mod failures;
mod finishing;
mod followed;
mod forward;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
pub mod hooks;
mod indexer;
mod inherent;
mod insurance;
mod key;
mod keyset;
mod level;
mod loader;
mod meant;
mod messages;
mod missing;
mod mutation;
mod naming;
pub mod outbox;
mod own_type;
mod parents;
mod permits;
mod probe;
#[cfg(feature = "rbac")]
mod restricted;
mod scope;
mod sink;
mod stored_key;
mod streamed;
mod table_name;
pub mod testing;
mod token;
mod touch;
mod transaction;
mod transactional;
mod unkeyed;
mod watched;

pub use batch::BatchExt;
pub use bulk::{Bulk, BulkError, BulkExt};
pub use cascade::Cascade;
pub use connection::StreamedConnection;
pub use entities::{Entities, EntityStream, EntityWorker};
pub use error::{Error, ErrorKind};
pub use executor::{DatabaseExecutor, IntoDatabaseExecutor};
pub use failures::Failures;
pub use guard::BypassGuard;
pub use indexer::Indexer;
pub use insurance::Insurance;
pub use key::{Key, KeyError, KeyOf};
pub use loader::{Loader, Rows, find_by_keys};
pub use outbox::Relay;
pub use parents::Parent;
pub use redstream_core as core;
pub use redstream_core::{
    Batch, BoxError, CancellationToken, ConnectOptions, Consumer, DeadLetter, DeadLetters, Delayer, Handler,
    HandlerError, MessageId, OnPoison, Producer, Progress, Redstream, Start, Stream, StreamName, Supervisor, SyncToken,
    Trimmed, Trimmer, Worker, stop_signal,
};
pub use redstream_seaorm_macros::Streamed;
pub use sink::{Changes, Sink};
pub use streamed::Streamed;
pub use token::TokenExt;
pub use touch::Touch;
pub use transaction::StreamedTransaction;
pub use transactional::SaveInTransaction;

/// What derived code and benchmarks name. Not for anybody else: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::guard::{StreamedEntity, tables_written, written};
    pub use crate::streamed::written_streams;
    pub use ::async_trait::async_trait;
    pub use ::inventory;
    pub use ::redstream_core::WrittenStreams;
    pub use ::sea_orm::{ActiveModelBehavior, ConnectionTrait, DbErr, EntityName};
    pub use ::serde_json::Value as Json;
}
