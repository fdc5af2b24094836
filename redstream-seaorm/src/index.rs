//! Handlers that read rows back: the `indexer`, which hands records to a `sink`, and the `cascade`, which
//! announces children.
//!
//! May use `entity` and `fault`.

pub(crate) mod cascade;
mod expected_streams;
pub(crate) mod failures;
pub(crate) mod indexer;
pub(crate) mod loader;
mod missing;
pub(crate) mod sink;
