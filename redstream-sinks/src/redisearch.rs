//! RediSearch: documents in Redis, as hashes or JSON, with a search index over them.
//!
//! # Layout
//! - `sink`: [`RediSearchSink`], its options, and its `write`; `scan` reads the index back.
//! - `delivery`: writes documents, and checks that each is in the index.
//! - `target`: checks and creates the index; `info` is what the server says of it.
//! - `documents`: the commands and scripts; `record`: what is written of a record.
//! - `definition`: [`Index`] and [`Field`]; `escape`: texts in queries.

mod definition;
mod delivery;
mod documents;
mod error;
mod escape;
mod info;
pub mod metrics;
mod record;
mod scan;
mod sink;
mod target;

pub use definition::{Field, Index};
pub use error::Error;
pub use escape::escape;
pub use sink::RediSearchSink;
