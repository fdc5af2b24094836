//! # The story of a message
//!
//! ```text
//! save ──► delay message ──► COMMIT ──► main message ──► consumer ──► secondary datastore
//!               │                            ▲               │
//!               └──► delayer (after 5 min) ──┘               └─ offset ──► trimmer
//! ```
//!
//! A change is saved. A *delay message* with the record's key insures it: it is in Redis before the transaction
//! commits. After the commit, a *main message* announces the change at once. A [`Consumer`] re-reads the row from the
//! primary database and writes it to a secondary datastore: a search index, a cache, another database. Its *offset*
//! records its position. The [`Trimmer`] removes messages that all consumers have committed. If anything fails between
//! save and main message, the [`Delayer`] re-queues the delay message later.
//!
//! Messages carry a key, never the row, so processing one twice or late is harmless.
//!
//! # The parts
//!
//! [`Redstream`] is one Redis. It gives a [`Producer`], which writes messages, and a [`Stream`] by name, which gives
//! the workers: [`Consumer`], [`Delayer`], [`Trimmer`]. A [`Supervisor`] runs them from the application's `main`, on
//! any number of hosts: a [`Lock`] ensures that one of each is at work while the others stand by.
//!
//! [`Shards`] split a stream into several, so that several hosts can work on it. [`DeadLetters`] keep what a consumer
//! could not handle; a [`Loss`] is a loss of data in Redis; [`Health`] is for probes. A [`Walk`] queues every key of a
//! table, so that a consumer fills an empty datastore.
//!
//! The code follows the same order: [`Payload`] and [`NewMessage`] are what is written, by the [`Producer`];
//! [`Message`] and [`Batch`] are what a [`Handler`] gets; the [`OffsetStore`] stores the offset.
//!
//! This crate knows nothing of a primary database: `redstream-seaorm` writes the messages for SeaORM models.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

// Each group may use those below it, and none above it; `tests/layout.rs` keeps it so.
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod properties;

mod overview;
mod sharding;

mod stream;

mod delayer;
mod reindex;
mod trimmer;

mod consumer;

mod producer;

mod worker;

mod redstream;

mod transport;

mod error;
mod keys;

mod message;

mod failpoint;
pub mod metrics;
mod text;
mod time;

/// The failpoints, only for `cargo xtask chaos`: no build without `--cfg redstream_chaos` has this module.
#[cfg(redstream_chaos)]
#[doc(hidden)]
pub mod chaos {
    pub use crate::failpoint::{reached, watch};
}

/// For implementations of [`Worker`], [`Handler`] and [`OffsetStore`]: the macro of the crate of this name, so that it
/// need not be among your dependencies.
pub use async_trait::async_trait;
#[doc(hidden)]
pub use consumer::WrittenStreams;
pub use consumer::{
    Batch, Committed, Consumer, DeadLetter, DeadLetters, Handler, HandlerError, Loss, LossKind, OffsetStore, OnPoison,
    Prepared, Progress, SyncToken,
};
pub use delayer::{Delayer, Moved};
pub use error::{BoxError, Error, Result, Undrained};
#[doc(hidden)]
pub use message::PayloadLines;
pub use message::{
    DecodeError, InvalidMessageId, InvalidName, Message, MessageId, NewMessage, Payload, PayloadError, PayloadObject,
    StreamName,
};
pub use overview::{
    ConsumerOverview, ConsumerState, DelayerOverview, Observer, Orphan, Overview, Problem, ServerOverview, Severity,
    StreamOverview, Unreadable,
};
pub use producer::{Early, Producer};
pub use redstream::Redstream;
pub use reindex::{
    KeySource, ReindexProgress, ReindexRange, ReindexRecord, ReindexReport, ReindexState, Reindexes, Walk,
};
pub use sharding::{ShardMap, Sharded, Shards};
pub use stream::{Counted, Stream};
pub use tokio_util::sync::CancellationToken;
pub use transport::{ConnectOptions, RedisClient, Risk};
pub use trimmer::{Trimmed, Trimmer};
pub use worker::{
    Health, Holder, Lock, LockGuard, Neglected, Start, Supervisor, SupervisorHandle, Worker, WorkerHealth, WorkerState,
    WorkerStatus, stop_signal,
};
