//! # The story of a message
//!
//! ```text
//! save ──► delay message ──► COMMIT ──► main message ──► consumer ──► secondary datastore
//!               │                            ▲               │
//!               └──► delayer (after 5 min) ──┘               └─ offset ──► trimmer
//! ```
//!
//! A change is saved. A *delay message* with the record's key insures it: it is in Redis before the
//! transaction commits. The commit makes the change true. A *main message* announces it at once. A
//! [`Consumer`] re-reads the row from the primary database and carries it to a secondary datastore: a search
//! index, a cache, another database. Its *offset* records how far it has come. The [`Trimmer`] sweeps
//! behind. If anything breaks between save and main message, the [`Delayer`] re-queues the delay message
//! later.
//!
//! Messages carry a key, never the row, so processing one twice or late is harmless.
//!
//! # The parts
//!
//! [`Redstream`] is one Redis. It gives a [`Producer`], which writes messages, and a [`Stream`] by name, which
//! gives the workers: [`Consumer`], [`Delayer`], [`Trimmer`]. A [`Supervisor`] runs them from the application's
//! `main`, on as many hosts as there are: a [`Lock`] sees to it that one of each is at work while the others
//! stand by.
//!
//! [`Shards`] cut a stream into several, for several hosts to work at. [`DeadLetters`] keep what a consumer could not
//! handle; a [`Loss`] is what only Redis can cause; [`Health`] is for probes.
//!
//! The code is in the order of the story: [`Payload`] and [`NewMessage`] are what is written, by the
//! [`Producer`]; [`Message`] and [`Batch`] are what a [`Handler`] gets; the [`OffsetStore`] keeps the place.
//!
//! This crate knows nothing of a primary database: `redstream-seaorm` writes the messages for SeaORM models.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod acknowledged;
mod backoff;
mod batch;
#[cfg(feature = "chaos")]
#[doc(hidden)]
pub mod chaos;
#[cfg(not(feature = "chaos"))]
mod chaos;
mod connection;
mod connector;
mod consumer;
mod dead;
mod delayer;
mod durability;
mod entries;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod handler;
mod health;
mod id;
mod keeper;
mod keys;
mod known;
mod link;
mod lock;
mod loss;
mod message;
pub mod metrics;
mod mutation;
mod names;
mod nodes;
mod offsets;
mod options;
mod outages;
mod own;
mod payload;
mod producer;
#[cfg(test)]
mod properties;
mod pulse;
mod redstream;
mod registry;
mod repeat;
mod scripts;
mod server;
mod session;
mod sharding;
mod source;
mod stream;
mod supervisor;
mod sync;
mod tenure;
mod trimmer;
mod version;
mod wire;
mod worker;

pub use batch::Batch;
pub use consumer::{Consumer, OnPoison, Progress};
pub use dead::{DeadLetter, DeadLetters};
pub use delayer::{Delayer, Moved};
pub use durability::Risk;
pub use error::{BoxError, Error, Result};
pub use handler::{Handler, HandlerError};
pub use health::{Health, WorkerHealth};
pub use id::{InvalidMessageId, MessageId};
#[doc(hidden)]
pub use known::WrittenStreams;
pub use lock::{Lock, LockGuard};
pub use loss::{Loss, LossKind};
pub use message::{Message, NewMessage};
pub use names::StreamName;
pub use offsets::{Committed, OffsetStore};
pub use options::ConnectOptions;
pub use payload::{DecodeError, Payload, PayloadError, PayloadObject};
pub use producer::{Early, Producer};
pub use pulse::{Condition, Neglected, Pulse};
pub use redstream::Redstream;
pub use registry::Start;
pub use sharding::{ShardMap, Sharded, Shards};
pub use stream::Stream;
pub use supervisor::{Supervisor, stop_signal};
pub use sync::SyncToken;
pub use tokio_util::sync::CancellationToken;
pub use trimmer::{Trimmed, Trimmer};
pub use worker::Worker;
