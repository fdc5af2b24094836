//! The reindex: queues the key of every row of a table on the table's stream, so that a consumer fills an empty
//! datastore, or repairs a wrong one.
//!
//! Only keys are queued. The consumer reads each row after it issued its version, as it does for a change, so a reindex
//! never overwrites newer data, and writers need not stop.
//!
//! # Layout
//! - `walk` is the public type: its options, and the process that is at work while others stand by;
//! - `run` is the work of that process: read a page, queue a chunk, wait for the consumers;
//! - `source` gives the keys, `standing` says how far the consumers are, `chunk` how many keys to queue at once;
//! - `record` is what Redis has of a reindex, `records` the verbs on it, `progress` what callers are told.
//!
//! Uses the consumer, the producer, locks, and what is below them.

mod chunk;
mod progress;
mod record;
mod records;
mod run;
mod source;
mod standing;
mod walk;

pub use progress::{ReindexProgress, ReindexReport};
pub use record::{ReindexRange, ReindexRecord, ReindexState};
pub use records::Reindexes;
pub use source::KeySource;
pub use walk::Walk;
