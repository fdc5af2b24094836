//! All errors, each with what was attempted; `source()` holds the cause. Uses only [`message`](crate::message), whose
//! names and ids the errors contain.

mod transient;
mod undrained;

use std::time::Duration;

use redis::RedisError;

pub(crate) use transient::{code, is_broken, is_cut_off, is_transient};
pub use undrained::Undrained;

use crate::message::{InvalidName, MessageId, PayloadError, StreamName};
use crate::text::{SHORT, bounded};

/// The result of everything that talks to Redis.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error of the application, as a [`Handler`](crate::Handler) returns it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// An operation that failed.
///
/// `Display` says what was attempted and what to do if that is known, and never a credential;
/// [`source`](std::error::Error::source) holds the cause, so print the whole chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL is not one of Redis (`redis://[user:password@]host[:port][/db]`).
    #[error("this is not a Redis URL (expected redis://[user:password@]host[:port][/db])")]
    InvalidUrl(#[source] RedisError),

    /// No server answered, or it refused (TLS, password).
    #[error("could not connect to Redis at {address}")]
    Connect {
        /// Host and port, without credentials.
        address: String,
        /// The last attempt's failure.
        #[source]
        source: RedisError,
    },

    /// The server lacks commands that this crate requires (`XTRIM MINID` came with 6.2).
    #[error("Redis {version} at {address} is too old: version 6.2 or later (or Valkey) is needed")]
    UnsupportedServer {
        /// Host and port, without credentials.
        address: String,
        /// What the server calls itself.
        version: String,
    },

    /// The server does not answer as Redis does.
    #[error("what answers at {address} is no Redis: it answered the attempt to {attempt} with {reply}")]
    NotRedis {
        /// Host and port, without credentials.
        address: String,
        /// What was attempted, as an infinitive.
        attempt: String,
        /// What came, shortened.
        reply: String,
    },

    /// A URL asks for TLS, and this crate was built without it.
    #[error(
        "the URL asks for TLS (rediss://), and redstream-core was built without its feature `tls`: \
         redstream-core = {{ features = [\"tls\"] }}, or the feature of the same name of redstream-seaorm"
    )]
    TlsNotBuiltIn,

    /// A name that would produce an ambiguous or illegible key.
    #[error("{what} {name:?} is not usable: {reason}")]
    InvalidName {
        /// `stream name`, `consumer name` or `namespace`.
        what: &'static str,
        /// The name given.
        name: String,
        /// What is wrong with it, and what to do if that is known.
        reason: String,
    },

    /// An option that cannot work, reported before anything starts.
    #[error("option {option} is not usable: {reason}")]
    InvalidOption {
        /// The setter's name.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// The payload cannot be written as JSON.
    #[error("could not encode a payload for stream {stream}")]
    Encode {
        /// Where the message was to go.
        stream: StreamName,
        /// Why not.
        #[source]
        source: PayloadError,
    },

    /// Redis refused the command.
    #[error("Redis could not {attempt}")]
    Redis {
        /// What was attempted, as an infinitive.
        attempt: String,
        /// What Redis, or the connection to it, said.
        #[source]
        source: RedisError,
    },

    /// No attempt succeeded within the bound given by
    /// [`give_up_after`](crate::ConnectOptions::give_up_after).
    #[error("Redis could not {attempt}: gave up after {after:?}")]
    GaveUp {
        /// What was attempted, as an infinitive.
        attempt: String,
        /// The bound.
        after: Duration,
        /// The last failure; `None` if Redis never answered.
        #[source]
        source: Option<RedisError>,
    },

    /// The hash slot of these keys is being moved from one node of the Cluster to another, or its move was never
    /// finished. Existing keys still work; absent ones, such as a free lock, cannot be created there.
    #[error(
        "Redis could not {attempt}: the hash slot is open, since a move of it to another node is under way or was \
         abandoned. Finish it (`redis-cli --cluster fix`); CLUSTER MIGRATESLOTS of Valkey 9 moves slots without opening them"
    )]
    SlotOpen {
        /// What was attempted, as an infinitive.
        attempt: String,
        /// What Redis said.
        #[source]
        source: RedisError,
    },

    /// A reply that this version does not understand.
    #[error("Redis answered the attempt to {attempt} with something unexpected: {}", bounded(reply, SHORT))]
    UnexpectedReply {
        /// What was attempted, as an infinitive.
        attempt: String,
        /// What came, shortened.
        reply: String,
    },

    /// The lock has another owner now, or none: this owner's work is not committed.
    #[error("the lock {lock} is no longer held here: its owner now does the work again")]
    LockLost {
        /// The lock's key.
        lock: String,
    },

    /// The consumer was retired by [`Stream::forget`](crate::Stream::forget).
    #[error("consumer {consumer} of stream {stream} was forgotten: it stops")]
    Forgotten {
        /// The consumer's stream.
        stream: StreamName,
        /// The consumer.
        consumer: String,
    },

    /// The consumer is paused: it commits nothing and takes no lock until it is resumed.
    #[error("consumer {consumer} of stream {stream} is paused")]
    Paused {
        /// The consumer's stream.
        stream: StreamName,
        /// The consumer.
        consumer: String,
    },

    /// The stream has no consumer of that name; the name may be misspelled.
    #[error("stream {stream} has no consumer {consumer}: {}", known_names(known))]
    NoSuchConsumer {
        /// The stream, or one of those that were asked about.
        stream: StreamName,
        /// The name given.
        consumer: String,
        /// The names that are registered with that stream.
        known: Vec<String>,
    },

    /// The stream has no record of a reindex of that id; the id may be misspelled.
    #[error("stream {stream} has no reindex {id}: {}", known_names(known))]
    NoSuchReindex {
        /// The stream, or the name that its shards have in common.
        stream: StreamName,
        /// The id given.
        id: String,
        /// The ids that are recorded.
        known: Vec<String>,
    },

    /// The keys of a reindex could not be read from the primary database, or no message can be made of one. What was
    /// queued is recorded: run it again to continue.
    #[error("reindex {id} of stream {stream} could not {attempt}: run it again to continue")]
    KeySource {
        /// The stream, or the name that its shards have in common.
        stream: StreamName,
        /// The id of the reindex.
        id: String,
        /// What was attempted, as an infinitive.
        attempt: &'static str,
        /// The source's error.
        #[source]
        source: BoxError,
    },

    /// Another application, or another datastore, runs a consumer of that name: each would miss the changes that the
    /// other handles.
    #[error(
        "consumer {consumer} of stream {stream} is run by {registered:?}, and this one is {own:?}: give each its own namespace or \
         name; Stream::clear_identity lets it become something else"
    )]
    OtherIdentity {
        /// The stream.
        stream: StreamName,
        /// The consumer.
        consumer: String,
        /// The identity of this consumer.
        own: String,
        /// The recorded identity.
        registered: String,
    },

    /// The consumer is still running, so it is not forgotten.
    #[error("consumer {consumer} of stream {stream} is still running: stop it before it is forgotten")]
    StillRunning {
        /// The consumer's stream.
        stream: StreamName,
        /// The consumer.
        consumer: String,
    },

    /// The handler failed; its batch is not committed and will be retried.
    #[error("the handler of consumer {consumer} failed on messages {first} to {last} of stream {stream}")]
    Handler {
        /// The consumer's stream.
        stream: StreamName,
        /// The consumer.
        consumer: String,
        /// First message of the batch.
        first: MessageId,
        /// Last message of the batch.
        last: MessageId,
        /// The handler's error.
        #[source]
        source: BoxError,
    },

    /// A message fails repeatedly while others succeed, and the consumer is set to [stop](crate::OnPoison::Stop) then.
    /// Its batch is not committed.
    #[error("consumer {consumer} of stream {stream} stops at message {message}, which failed {attempts} times")]
    Poison {
        /// The consumer's stream.
        stream: StreamName,
        /// The consumer.
        consumer: String,
        /// The message that fails.
        message: MessageId,
        /// How often it was tried.
        attempts: u32,
        /// The handler's last error.
        #[source]
        source: BoxError,
    },

    /// The consumer had not passed the write when the bound had passed.
    #[error(
        "consumer {consumer} of stream {stream} had not reached message {wanted} within {within:?}; it stands at {}",
        offset.map_or("the beginning".to_owned(), |id| id.to_string())
    )]
    NotSynced {
        /// The stream.
        stream: StreamName,
        /// The consumer.
        consumer: String,
        /// The last message of the write.
        wanted: MessageId,
        /// The consumer's offset.
        offset: Option<MessageId>,
        /// The bound.
        within: Duration,
    },

    /// Only the beginning of the dead letter's payload was stored, since it was larger than
    /// [`max_payload`](crate::Consumer::max_payload) allowed: it cannot be put back. The message that failed is in the
    /// stream until it is trimmed.
    #[error("dead letter {letter} holds only the beginning of its payload: discard it, and write the change again")]
    PayloadCut {
        /// The dead letter.
        letter: MessageId,
    },

    /// The consumer gave up a message of the write: what it wrote is not in the datastore.
    #[error("consumer {consumer} of stream {stream} could not handle message {message}, a dead letter now: {error}")]
    DeadLettered {
        /// The stream.
        stream: StreamName,
        /// The consumer.
        consumer: String,
        /// The message it gave up.
        message: MessageId,
        /// Its handler's error.
        error: String,
    },

    /// Fewer replicas confirmed the messages than [asked for](crate::Producer::confirmed_by).
    #[error("only {confirmed} of {wanted} replicas confirmed the messages within {within:?}")]
    NotReplicated {
        /// How many did.
        confirmed: u32,
        /// How many had to.
        wanted: u32,
        /// The bound.
        within: Duration,
    },

    /// The old generation of shards was not drained when the bound had passed; the new generation's gate stays closed.
    #[error("stream {stream} was not drained within {within:?}: {left}")]
    NotDrained {
        /// A stream of the old generation.
        stream: StreamName,
        /// What is not drained yet.
        left: Undrained,
        /// The bound.
        within: Duration,
    },

    /// The signals by which a process is told to stop cannot be caught.
    #[error("could not catch the signals that stop a process: give run_until another way to stop")]
    Signal {
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },

    /// Workers were still busy when the grace period ended; what they had not committed is repeated.
    #[error("{} did not stop within {grace:?}", workers.join(", "))]
    GraceExceeded {
        /// The names of the workers that were stopped.
        workers: Vec<String>,
        /// The grace period.
        grace: Duration,
    },
}

impl Error {
    /// An error of Redis, or of the connection to it.
    pub(crate) fn redis(attempt: &str, source: RedisError) -> Self {
        let attempt = attempt.to_owned();
        match code(&source) {
            Some("TRYAGAIN") => Self::SlotOpen { attempt, source },
            _ => Self::Redis { attempt, source },
        }
    }
}

impl From<InvalidName> for Error {
    fn from(InvalidName { what, name, reason }: InvalidName) -> Self {
        Self::InvalidName { what, name, reason: reason.to_owned() }
    }
}

fn known_names(known: &[String]) -> String {
    if known.is_empty() { "none is registered".to_owned() } else { format!("registered are {}", known.join(", ")) }
}
