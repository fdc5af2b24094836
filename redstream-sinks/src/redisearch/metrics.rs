//! The names of the sink's metrics, for the recorder of the application's choice.
//!
//! | name | kind | labels | counts |
//! |---|---|---|---|
//! | `redstream_redisearch_documents_total` | counter | `index`, `outcome`: `written`, `deleted`, `superseded`, `not_indexed`, `failed` | documents by what became of them; not indexed: written, and the index has left them out |
//! | `redstream_redisearch_indexing_failures` | gauge | `index` | documents that the index has left out since it was created, of all writers, as the server says; set when one is found |
//! | `redstream_redisearch_index_created_total` | counter | `index` | how often the sink created the index |

/// Documents by what became of them.
pub const DOCUMENTS: &str = "redstream_redisearch_documents_total";
/// Documents that the index has left out since it was created.
pub const INDEXING_FAILURES: &str = "redstream_redisearch_indexing_failures";
/// How often the sink created the index.
pub const INDEX_CREATED: &str = "redstream_redisearch_index_created_total";
