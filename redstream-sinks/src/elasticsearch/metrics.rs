//! The names of the sink's metrics, for the recorder of the application's choice.
//!
//! | name | kind | labels | counts |
//! |---|---|---|---|
//! | `redstream_elasticsearch_documents_total` | counter | `index`, `outcome`: `written`, `deleted`, `superseded`, `failed` | documents by what became of them; superseded: the index has a higher version |
//! | `redstream_elasticsearch_requests_total` | counter | `index`, `outcome`: `accepted`, `refused`, `failed` | bulk requests; refused: for now, or as too large; failed: without an answer, or for good |
//! | `redstream_elasticsearch_retries_total` | counter | `index` | requests that are sent again |
//! | `redstream_elasticsearch_request_seconds` | histogram | `index` | time from a bulk request to its answer |
//! | `redstream_elasticsearch_concurrency` | gauge | `index` | how many bulk requests may be in flight at once |

/// Documents by what became of them.
pub const DOCUMENTS: &str = "redstream_elasticsearch_documents_total";
/// Bulk requests by their outcome.
pub const REQUESTS: &str = "redstream_elasticsearch_requests_total";
/// Requests that are sent again.
pub const RETRIES: &str = "redstream_elasticsearch_retries_total";
/// Time from a bulk request to its answer, in seconds.
pub const REQUEST_SECONDS: &str = "redstream_elasticsearch_request_seconds";
/// How many bulk requests may be in flight at once.
pub const CONCURRENCY: &str = "redstream_elasticsearch_concurrency";
