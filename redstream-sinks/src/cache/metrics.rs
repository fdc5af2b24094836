//! The names of the cache's metrics, for the recorder of the application's choice.
//!
//! | name | kind | labels | counts |
//! |---|---|---|---|
//! | `redstream_cache_entries_total` | counter | `cache`, `outcome`: `evicted`, `written`, `deleted`, `superseded`, `failed` | entries by what became of them in the sink; evicted: whether or not there was one |
//! | `redstream_cache_reads_total` | counter | `cache`, `outcome`: `hit`, `miss`, `unreadable`, `unavailable` | reads by what the cache had |
//! | `redstream_cache_fills_total` | counter | `cache`, `outcome`: `filled`, `refused`, `failed` | documents that readers loaded; refused: the entry was evicted or written meanwhile, or the lease expired |

/// Entries by what became of them in the sink.
pub const ENTRIES: &str = "redstream_cache_entries_total";
/// Reads by what the cache had.
pub const READS: &str = "redstream_cache_reads_total";
/// Documents that readers loaded.
pub const FILLS: &str = "redstream_cache_fills_total";
