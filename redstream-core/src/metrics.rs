//! The names of all metrics, for the recorder of the application's choice.
//!
//! | name | kind | labels | counts |
//! |---|---|---|---|
//! | `redstream_messages_produced_total` | counter | `kind`: main, delay | messages acknowledged by Redis |
//! | `redstream_main_messages_failed_total` | counter | `stream` | main messages not written after a commit: their delay messages announce the changes |
//! | `redstream_bypasses_total` | counter | `table` | statements that wrote a streamed table and bypassed the hooks |
//! | `redstream_messages_relayed_total` | counter | `stream` | changes moved from the outbox to their stream |
//! | `redstream_outbox_set_aside` | gauge | | rows of the outbox that its relay cannot move and skips |
//! | `redstream_messages_handled_total` | counter | `stream`, `consumer` | messages handled and committed |
//! | `redstream_messages_passed_over_total` | counter | `stream`, `consumer` | messages of another entity of the stream, which an indexer or a cascade skipped |
//! | `redstream_batch_seconds` | histogram | `stream`, `consumer` | time in the handler, per batch |
//! | `redstream_handler_failures_total` | counter | `stream`, `consumer` | batches that failed and are retried |
//! | `redstream_dead_letters_total` | counter | `stream`, `consumer` | messages given up as dead letters |
//! | `redstream_outage` | gauge | `stream`, `consumer` | 1 while nothing can be handled, else 0 |
//! | `redstream_losses_total` | counter | `stream`, `consumer` | losses of Redis that a consumer noticed |
//! | `redstream_locks_lost_total` | counter | `lock` | locks lost to another host while at work |
//! | `redstream_messages_delayed_total` | counter | `stream` | delay messages moved to their main stream |
//! | `redstream_messages_trimmed_total` | counter | `stream` | entries removed by the trimmer, of one message or several |
//! | `redstream_messages_trimmed_unread_total` | counter | `stream` | of those, entries that some consumer had not read (expiry by age only) |
//! | `redstream_consumer_behind_seconds` | gauge | `stream`, `consumer` | age of the oldest message not committed, at each sweep |
//! | `redstream_keys_reindexed_total` | counter | `stream` | keys that a reindex queued |
//! | `redstream_keys_verified_total` | counter | `table`, `target` | keys that a verification compared |
//! | `redstream_verify_differences` | gauge | `table`, `target`, `kind`: missing, stale, extra | differences that the last whole verification found |
//! | `redstream_drift_records` | gauge | `table`, `target` | differences of all kinds that the last whole verification found |
//! | `redstream_verify_repaired_total` | counter | `table`, `target` | differences that a verification repaired |
//! | `redstream_worker_restarts_total` | counter | `worker` | workers restarted after a panic or an error |
//!
//! The gauges that an [`Observer`](crate::Observer) sets. All have the label `redstream_namespace`, too.
//!
//! | name | kind | labels | is |
//! |---|---|---|---|
//! | `redstream_observed_timestamp_seconds` | gauge | | the time of the last look, in seconds since 1970 |
//! | `redstream_streams` | gauge | | streams of the namespace |
//! | `redstream_stream_entries` | gauge | `stream` | entries with main messages, handled or not |
//! | `redstream_stream_bytes` | gauge | `stream` | memory of its main and delay messages |
//! | `redstream_delay_entries` | gauge | `stream` | entries with delay messages that wait |
//! | `redstream_delay_oldest_seconds` | gauge | `stream` | age of the oldest of them; 0 if there is none |
//! | `redstream_delay_seconds` | gauge | `stream` | the delay that the stream's delayer published when it started |
//! | `redstream_delayer_running` | gauge | `stream` | 1 if some host is the delayer, else 0 |
//! | `redstream_trimmer_running` | gauge | `stream` | 1 if some host is the trimmer, else 0 |
//! | `redstream_consumer_running` | gauge | `stream`, `consumer` | 1 if some host works as this consumer, else 0 |
//! | `redstream_consumer_paused` | gauge | `stream`, `consumer` | 1 if an operator paused it, else 0 |
//! | `redstream_consumer_lag_messages` | gauge | `stream`, `consumer` | messages that it has not committed, counted up to 100,000 |
//! | `redstream_consumer_lag_seconds` | gauge | `stream`, `consumer` | age of the oldest of them; 0 if there is none |
//! | `redstream_consumer_dead_letters` | gauge | `stream`, `consumer` | messages that are dead letters now |
//! | `redstream_redis_used_memory_bytes` | gauge | `server` | memory that Redis uses |
//! | `redstream_redis_max_memory_bytes` | gauge | `server` | memory that it may use; 0 without a limit |
//! | `redstream_redis_evicts_keys` | gauge | `server` | 1 if its eviction policy is another than `noeviction`, else 0 |
//! | `redstream_problems` | gauge | `kind`, `severity`: note, warning, error | what [`Overview::problems`](crate::Overview::problems) finds |

/// Messages acknowledged by Redis.
pub const PRODUCED: &str = "redstream_messages_produced_total";
/// Main messages not written after a commit.
pub const MAIN_FAILED: &str = "redstream_main_messages_failed_total";
/// Statements that wrote a streamed table and bypassed the hooks.
pub const BYPASSES: &str = "redstream_bypasses_total";
/// Changes moved from the outbox to their stream.
pub const RELAYED: &str = "redstream_messages_relayed_total";
/// Rows of the outbox that its relay cannot move and skips.
pub const OUTBOX_SET_ASIDE: &str = "redstream_outbox_set_aside";
/// Messages handled and committed.
pub const HANDLED: &str = "redstream_messages_handled_total";
/// Messages of another entity of the stream, which an indexer or a cascade skipped.
pub const PASSED_OVER: &str = "redstream_messages_passed_over_total";
/// Time in the handler per batch, in seconds.
pub const BATCH_SECONDS: &str = "redstream_batch_seconds";
/// Batches whose handler failed.
pub const HANDLER_FAILURES: &str = "redstream_handler_failures_total";
/// Messages given up as dead letters.
pub const DEAD: &str = "redstream_dead_letters_total";
/// 1 while nothing can be handled.
pub const OUTAGE: &str = "redstream_outage";
/// Losses of Redis that a consumer noticed.
pub const LOSSES: &str = "redstream_losses_total";
/// Locks lost while at work.
pub const LOCKS_LOST: &str = "redstream_locks_lost_total";
/// Delay messages moved to their main stream.
pub const DELAYED: &str = "redstream_messages_delayed_total";
/// Entries removed by the trimmer, of one message or several.
pub const TRIMMED: &str = "redstream_messages_trimmed_total";
/// Entries removed by expiry before some consumer had read them.
pub const TRIMMED_UNREAD: &str = "redstream_messages_trimmed_unread_total";
/// Age of the oldest message that a consumer has not committed, in seconds.
pub const BEHIND: &str = "redstream_consumer_behind_seconds";
/// Keys that a reindex queued.
pub const REINDEXED: &str = "redstream_keys_reindexed_total";
/// Keys that a verification compared.
pub const VERIFIED: &str = "redstream_keys_verified_total";
/// Differences that the last whole verification found.
pub const VERIFY_DIFFERENCES: &str = "redstream_verify_differences";
/// Differences of all kinds that the last whole verification found.
pub const DRIFT: &str = "redstream_drift_records";
/// Differences that a verification repaired.
pub const VERIFY_REPAIRED: &str = "redstream_verify_repaired_total";
/// Workers restarted after a panic or an error.
pub const RESTARTS: &str = "redstream_worker_restarts_total";
/// The time of the observer's last look, in seconds since 1970.
pub const OBSERVED: &str = "redstream_observed_timestamp_seconds";
/// Streams of the namespace.
pub const STREAMS: &str = "redstream_streams";
/// Entries with main messages.
pub const ENTRIES: &str = "redstream_stream_entries";
/// Memory of a stream's main and delay messages, in bytes.
pub const BYTES: &str = "redstream_stream_bytes";
/// Entries with delay messages that wait.
pub const DELAY_ENTRIES: &str = "redstream_delay_entries";
/// Age of the oldest delay message, in seconds.
pub const DELAY_OLDEST: &str = "redstream_delay_oldest_seconds";
/// The delay that a delayer published, in seconds.
pub const DELAY: &str = "redstream_delay_seconds";
/// 1 if some host is the delayer.
pub const DELAYER_RUNNING: &str = "redstream_delayer_running";
/// 1 if some host is the trimmer.
pub const TRIMMER_RUNNING: &str = "redstream_trimmer_running";
/// 1 if some host works as this consumer.
pub const CONSUMER_RUNNING: &str = "redstream_consumer_running";
/// 1 if an operator paused the consumer.
pub const CONSUMER_PAUSED: &str = "redstream_consumer_paused";
/// Messages that a consumer has not committed.
pub const LAG: &str = "redstream_consumer_lag_messages";
/// Age of the oldest message that a consumer has not committed, in seconds, as the observer sees it.
pub const LAG_SECONDS: &str = "redstream_consumer_lag_seconds";
/// Messages that are dead letters now.
pub const DEAD_LETTERS: &str = "redstream_consumer_dead_letters";
/// Memory that Redis uses, in bytes.
pub const REDIS_USED: &str = "redstream_redis_used_memory_bytes";
/// Memory that Redis may use, in bytes; 0 without a limit.
pub const REDIS_MAX: &str = "redstream_redis_max_memory_bytes";
/// 1 if the eviction policy is another than `noeviction`.
pub const REDIS_EVICTS: &str = "redstream_redis_evicts_keys";
/// What an overview finds to be wrong.
pub const PROBLEMS: &str = "redstream_problems";
