//! The names of the sink's metrics, for the recorder of the application's choice.
//!
//! | name | kind | labels | counts |
//! |---|---|---|---|
//! | `redstream_webhook_changes_total` | counter | `name`, `outcome`: `delivered`, `failed` | changes by what became of them |
//! | `redstream_webhook_requests_total` | counter | `name`, `outcome`: `accepted`, `refused`, `failed` | requests; refused: for good; failed: for now, or without an answer |
//! | `redstream_webhook_request_seconds` | histogram | `name` | time from a request to its answer |
//!
//! `name` is the first part of the messages' type.

/// Changes by what became of them.
pub const CHANGES: &str = "redstream_webhook_changes_total";
/// Requests by their outcome.
pub const REQUESTS: &str = "redstream_webhook_requests_total";
/// Time from a request to its answer, in seconds.
pub const REQUEST_SECONDS: &str = "redstream_webhook_request_seconds";
