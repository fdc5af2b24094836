//! A cache in Redis: a sink that evicts or writes its entries, and a reader that fills them.
//!
//! An entry is a hash with the fields `document` (JSON), `version` (of a sink that writes) and `lease` (of readers that
//! are loading the record). Whatever evicts or writes an entry removes its lease, and only who has the lease may fill
//! it: so no reader fills a cache with what it read before the last change. `docs/cache.md` has the reasoning, the
//! limits and a program.
//!
//! # Layout
//! - `sink`: [`EvictingSink`], [`WritingSink`]; `scan` reads a cache back.
//! - `reader`: [`Cache::get`], [`Cache::get_or_load`]; `availability`: how readers treat a Redis that does not answer.
//! - `handle`: [`Cache`] and its options; `entries`: the commands and scripts.

mod availability;
mod entries;
mod error;
mod handle;
pub mod metrics;
mod reader;
mod scan;
mod sink;

pub use error::{Error, LoadError};
pub use handle::Cache;
pub use sink::{EvictingSink, KeysOnly, WritingSink};
