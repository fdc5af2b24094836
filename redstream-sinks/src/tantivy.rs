//! tantivy: an index within the process, on disk.
//!
//! # Layout
//! - `sink`: [`TantivySink`], its options, and its `write`.
//! - `scan`: reads the index back.
//! - `store`: commits the changes of all writes that wait for it at once; `writer`: opens the index's writer.
//! - `lookup`: the version of a document in the index; `tombstones`: when a deleted key is forgotten.
//! - `document`: checks what the application makes of a record; `fields`: the sink's own fields; `term`: a key as a
//!   term.

mod document;
mod error;
mod fields;
mod lookup;
pub mod metrics;
mod scan;
mod sink;
mod store;
mod term;
mod tombstones;
mod writer;

pub use error::Error;
pub use fields::OwnFields;
pub use scan::Indexed;
pub use sink::{Builder, TantivySink};
