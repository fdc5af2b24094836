//! For tests of an application: what they wrote, and workers that run inline, so that no test has to sleep.
//!
//! Tests need a Redis, and may run concurrently on one server: [`connect`] gives each a namespace of its own.
//!
//! - [`Capture`] records the position of a stream; [`assert_streamed!`], [`assert_insured!`] and
//!   [`assert_nothing_streamed!`] compare what was added since, and report missing and unexpected records.
//! - [`run_until_idle`] runs consumers and delayers in turn until none of them finds anything to do. With [`at_once`]
//!   in place of a delayer, delay messages are due immediately.
//!
//! ```no_run
//! # mod city {
//! #     use redstream_seaorm::Streamed;
//! #     use sea_orm::entity::prelude::*;
//! #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
//! #     #[sea_orm(table_name = "cities")]
//! #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
//! #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
//! #     pub enum Relation {}
//! # }
//! # use redstream_seaorm::{Changes, HandlerError, Sink};
//! # #[derive(Clone)]
//! # struct SearchIndex;
//! # impl SearchIndex { fn new() -> Self { Self } fn names(&self) -> Vec<String> { Vec::new() } }
//! # impl Sink<city::Entity> for SearchIndex {
//! #     async fn write(&self, _: Changes<city::Entity>) -> Result<(), HandlerError> { Ok(()) }
//! # }
//! use redstream_seaorm::testing::{self, Capture, assert_nothing_streamed, assert_streamed, run_until_idle};
//! use redstream_seaorm::{RedstreamExt, Indexer, SaveInTransaction, StreamedConnection};
//! use sea_orm::{ActiveModelTrait, ConnectionTrait, Database, Schema, Set, TransactionTrait};
//!
//! # /*
//! #[tokio::test]
//! # */
//! async fn a_new_city_is_found() -> Result<(), Box<dyn std::error::Error>> {
//!     let redstream = testing::connect("redis://127.0.0.1/").await?;
//!     let plain = Database::connect("sqlite::memory:").await?;
//!     plain.execute(&Schema::new(plain.get_database_backend()).create_table_from_entity(city::Entity)).await?;
//!     let db = StreamedConnection::new(plain, redstream.producer());
//!     let capture = Capture::of::<city::Entity>(&redstream).await?;
//!     let ulm = city::ActiveModel { name: Set("Ulm".into()), ..Default::default() };
//!
//!     let txn = db.begin().await?;
//!     ulm.clone().insert(&txn).await?;
//!     txn.rollback().await?;
//!     assert_nothing_streamed!(capture);
//!
//!     let ulm = ulm.insert_tx(&db).await?;
//!     assert_streamed!(capture, [&ulm]);
//!
//!     let index = SearchIndex::new();
//!     let indexer = redstream.of::<city::Entity>()?.consumer("search", Indexer::new(db, index.clone()));
//!     run_until_idle(&[&indexer]).await?;
//!     assert_eq!(index.names(), ["Ulm"]);
//!     Ok(())
//! }
//! ```

// May use `outbox`, `entity` and `error`.

mod capture;
mod difference;
mod inline;

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use redstream_core::{ConnectOptions, Delayer, Redstream, Stream};

pub use self::capture::{Capture, CaptureError, Expected};
pub use self::difference::Difference;
pub use self::inline::{Inline, Ran, Unfinished, run_until_idle};
#[doc(inline)]
pub use crate::{assert_insured, assert_nothing_streamed, assert_streamed};

/// Connects with a unique namespace, which replaces the namespace in the options.
///
/// What a test leaves in Redis is not removed: give your tests a Redis that keeps nothing, or flush it now and then.
///
/// # Errors
///
/// As [`Redstream::connect`](redstream_core::Redstream::connect).
pub async fn connect(options: impl Into<ConnectOptions>) -> redstream_core::Result<Redstream> {
    // The keys of a hasher are the standard library's only source of randomness.
    let chance = || RandomState::new().hash_one(std::process::id());
    Redstream::connect(options.into().namespace(format!("test-{:016x}{:016x}", chance(), chance()))).await
}

/// A delayer with a delay of one millisecond: delay messages become main messages as soon as it runs.
///
/// It tests how a lost main message is repaired.
pub fn at_once(stream: &Stream) -> Delayer {
    stream.delayer(Duration::from_millis(1))
}
