//! Handlers that read rows back: the [indexer](indexer), which hands records to a [sink](sink), and the [cascade](cascade), which
//! announces children.
//!
//! May use `entity`, `fault` and `error`.

pub(crate) mod cascade;
mod expected_streams;
pub(crate) mod failures;
pub(crate) mod indexer;
pub(crate) mod loader;
mod missing;
pub(crate) mod sink;
