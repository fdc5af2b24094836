//! The rows of the table, one per file.

pub(crate) mod bulk_produce;
pub(crate) mod commit_latency;
pub(crate) mod concurrent_saves;
pub(crate) mod consume;
pub(crate) mod delayer;
pub(crate) mod handing_over;
pub(crate) mod indexing;
pub(crate) mod latency;
pub(crate) mod many_rows;
pub(crate) mod many_saves;
pub(crate) mod memory;
pub(crate) mod one_save;
pub(crate) mod reindex;
pub(crate) mod search_documents;
pub(crate) mod single_queue;
pub(crate) mod trim;
pub(crate) mod verify;
