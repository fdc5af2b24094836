//! Handlers that read rows back: the `indexer` passes records to a `sink`, and the `cascade` announces children. A
//! sink that implements `scan` can be verified. `documents` is a loader with the entities that are `embedded`.
//!
//! May use `entity` and `fault`.

pub(crate) mod cascade;
pub(crate) mod documents;
pub(crate) mod embedded;
mod expected_streams;
pub(crate) mod failures;
pub(crate) mod indexer;
pub(crate) mod loaded;
pub(crate) mod loader;
pub(crate) mod missing;
pub(crate) mod scan;
pub(crate) mod sink;
