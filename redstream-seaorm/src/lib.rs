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
//! # use redstream_seaorm::{Changes, RedstreamExt, HandlerError, Indexer, Redstream, Sink, StreamedConnection, Supervisor};
//! # use sea_orm::{ActiveModelTrait, Database, Set, TransactionTrait};
//! # struct SearchIndex;
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
//! [`StreamedConnection`] and [`StreamedTransaction`] wrap SeaORM's types and implement its traits, so that commits
//! pass through them. A [hook](hooks) finds the wrapper behind the connection it is given, and refuses the write if
//! there is none: a change that could have been tracked and was not is an error, not a silent loss.
//!
//! Within a transaction a save sends its delay message and does not wait for the acknowledgement. The commit waits for
//! all of them, commits, and sends the main messages in one pipeline, each key once. Savepoints are tracked: what one
//! rolls back is not announced. A save outside a transaction gets a transaction of its own.
//!
//! Hooks do not run for `update_many`, `delete_many`, `insert_many` and raw SQL: use bulk operations for those. If one
//! is forgotten, the [`BypassGuard`] warns before the statement runs.
//!
//! A commit needs Redis, or the [`outbox`]: that is the connection's [`Insurance`].
//!
//! [`Indexer`] is the handler that reads the rows back and passes them to a [`Sink`]. The engine itself, with all
//! options of workers, is in [`core`].
//!
//! # Layout
//!
//! For readers of the source. A module may use those below it, and none above it:
//!
//! | module | holds |
//! |---|---|
//! | [`drop_in`] | SeaORM's names, with ours behind them |
//! | [`testing`] | what tests of an application need |
//! | `redstream_ext` | what a `Redstream` does for entities |
//! | `swap` | a new index in place of the old one |
//! | `verify` | rows compared with what a sink has |
//! | `reindex` | all rows again |
//! | `workers` | all workers of an application, from its models |
//! | `bulk` | bulk operations, in both forms |
//! | `connection` | the streamed connection and transaction |
//! | [`hooks`] | what runs before and after a save, and how it finds the connection |
//! | `unit_of_work` | one transaction: what it insures before its commit and announces after it |
//! | `index` | handlers that read rows back |
//! | `guard` | which statements write streamed tables, and which of them a hook has announced |
//! | [`outbox`] | the table, and the relay that moves its rows to Redis |
//! | `entity` | streamed entities: keys, messages, streams |
//! | `failpoint`, `error` | what the chaos harness watches; errors |
//!
//! A save is read downwards: `hooks`, then `guard/permits.rs` (the statement that follows),
//! `connection/connection_trait.rs`, `connection/statement.rs`, `unit_of_work.rs`, `unit_of_work/delay_pipeline.rs`;
//! its commit from `connection/transaction.rs` to `unit_of_work/commit.rs`.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod bulk;
mod connection;
pub mod drop_in;
mod entity;
mod error;
mod failpoint;
mod guard;
pub mod hooks;
mod index;
pub mod outbox;
mod redstream_ext;
mod reindex;
mod swap;
pub mod testing;
mod unit_of_work;
mod verify;
mod workers;

pub use bulk::{Bulk, BulkError, BulkExt};
pub use connection::StreamedConnection;
pub use connection::builder::StreamedConnectionBuilder;
pub use connection::executor::{DatabaseExecutor, IntoDatabaseExecutor};
pub use connection::save_in_transaction::SaveInTransaction;
pub use connection::transaction::StreamedTransaction;
pub use entity::batch::BatchExt;
pub use entity::key::{Key, KeyError, KeyOf, KeyReader};
pub use entity::parents::Parent;
pub use entity::streamed::Streamed;
pub use entity::streams::{EntityStream, EntityWorker};
pub use entity::token::TokenExt;
pub use error::{Error, ErrorKind, ParentFault};
pub use guard::BypassGuard;
pub use hooks::touch::Touch;
pub use index::cascade::Cascade;
pub use index::documents::Documents;
pub use index::embedded::Embedded;
pub use index::failures::Failures;
pub use index::indexer::Indexer;
pub use index::loader::{Loader, Rows, find_by_keys};
pub use index::scan::{KeyRange, Scan};
pub use index::sink::{Changes, Sink};
pub use outbox::relay::Relay;
pub use redstream_core as core;
pub use redstream_core::{
    Batch, BoxError, CancellationToken, Committed, ConnectOptions, Consumer, DeadLetter, DeadLetters, DecodeError,
    Delayer, Handler, HandlerError, Health, InvalidMessageId, InvalidName, Lock, LockGuard, Loss, LossKind, Message,
    MessageId, Moved, Neglected, NewMessage, OffsetStore, OnPoison, Payload, PayloadError, PayloadObject, Prepared,
    Producer, Progress, RedisClient, Redstream, ReindexProgress, ReindexRange, ReindexRecord, ReindexReport,
    ReindexState, Reindexes, Risk, ShardMap, Sharded, Shards, Start, Stream, StreamName, Supervisor, SupervisorHandle,
    SyncToken, Trimmed, Trimmer, Undrained, Worker, WorkerHealth, WorkerState, WorkerStatus, async_trait, stop_signal,
};
pub use redstream_ext::RedstreamExt;
pub use redstream_seaorm_macros::Streamed;
pub use reindex::Reindex;
pub use swap::Swap;
pub use swap::error::SwapError;
pub use swap::report::SwapReport;
pub use swap::switch::{Older, Switch};
pub use unit_of_work::insurance::Insurance;
pub use verify::Verify;
pub use verify::error::VerifyError;
pub use verify::report::{Difference, DifferenceKind, VerifyReport, VerifyState};
pub use verify::worker::VerifyWorker;
pub use workers::Workers;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use guard::fuzzing;

/// Names for derived code and benchmarks. Not a public interface: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::entity::derived::DerivedEntity;
    pub use crate::entity::streamed::written_streams;
    pub use crate::guard::{tables_written, written};
    pub use ::async_trait::async_trait;
    pub use ::inventory;
    pub use ::redstream_core::WrittenStreams;
    pub use ::sea_orm::{ActiveModelBehavior, ConnectionTrait, DbErr};
    pub use ::serde_json::Value as Json;
}
