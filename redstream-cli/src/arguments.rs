//! What can be said on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Looks at the streams of Redstream, and operates them.
///
/// Reads the address of Redis as applications do, from the environment. Exit codes: 0 done, 1 the answer is no or there
/// are problems, 2 the call is wrong, 3 it failed.
#[derive(Debug, Parser)]
#[command(name = "redstream", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print one JSON value instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where Redis is.
#[derive(Args, Debug)]
#[command(next_help_heading = "Where Redis is")]
pub(crate) struct Place {
    /// One server: redis://user:password@host:port/db, of which only the host is needed, or rediss:// for TLS
    #[arg(long, global = true, env = "REDIS_URL", default_value = "redis://127.0.0.1/", hide_env_values = true)]
    pub(crate) redis: String,
    /// The Sentinels, by their URLs, in place of one server; needs --master
    #[arg(
        long,
        global = true,
        value_delimiter = ',',
        env = "REDIS_SENTINELS",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) sentinel: Vec<String>,
    /// The name by which the Sentinels know the master
    #[arg(long, global = true, env = "REDIS_MASTER", value_name = "NAME")]
    pub(crate) master: Option<String>,
    /// With Sentinels: a URL with the user, password and database of Redis itself
    #[arg(long, global = true, env = "REDIS_NODE", hide_env_values = true, value_name = "URL")]
    pub(crate) node: Option<String>,
    /// A Cluster, by some of its nodes, in place of one server
    #[arg(
        long,
        global = true,
        value_delimiter = ',',
        env = "REDIS_CLUSTER",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) cluster: Vec<String>,
    /// The namespace of the application
    #[arg(long, short, global = true, env = "REDSTREAM_NAMESPACE", value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// The certificate authority in PEM that alone is trusted for rediss://
    #[arg(long, global = true, env = "REDIS_ROOT_CERTIFICATE", value_name = "FILE")]
    pub(crate) root_certificate: Option<PathBuf>,
    /// How long a command may take
    #[arg(long, global = true, default_value = "30s", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Streams, consumers, lags, workers and dead letters
    Status {
        /// Only these streams; without, every key of the database is looked at
        streams: Vec<String>,
    },
    /// The same, live: lags over time, and pause and resume by a key
    Top {
        /// How often to look
        #[arg(long, default_value = "1s", value_parser = humantime::parse_duration, value_name = "TIME")]
        every: Duration,
    },
    /// Serve the dashboard to browsers, read-only unless told otherwise
    Web {
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:7878", value_name = "ADDRESS:PORT")]
        listen: SocketAddr,
        /// Let everyone who reaches it pause, rewind, redrive and discard: only on an address that you alone reach
        #[arg(long)]
        allow_actions: bool,
        /// A host name by which browsers may reach it, beside localhost and IP addresses
        #[arg(long, value_delimiter = ',', value_name = "NAME")]
        host: Vec<String>,
    },
    /// What needs a person: each problem with its cause and its cure
    Doctor,
    /// Print the messages of a stream as they come
    Tail(Tail),
    /// Messages that a consumer could not handle
    #[command(subcommand)]
    Dead(Dead),
    /// Let a consumer rest on all hosts, over restarts too, until it is resumed
    Pause {
        #[command(flatten)]
        consumer: Consumer,
        /// How long to wait until no host is at work
        #[arg(long, default_value = "10s", value_parser = humantime::parse_duration, value_name = "TIME")]
        within: Duration,
    },
    /// Let a paused consumer work again
    Resume {
        #[command(flatten)]
        consumer: Consumer,
    },
    /// Move a consumer's offset: what comes after it is handled again, or is skipped
    Rewind {
        #[command(flatten)]
        consumer: Consumer,
        /// earliest, latest, an id (1526919030474-55), or a time (2026-11-30T08:00:00Z)
        #[arg(long, value_parser = crate::start::parse)]
        to: crate::start::Place,
        #[command(flatten)]
        consent: Consent,
    },
    /// Retire a consumer: its offset is removed, and trimming no longer waits for it
    Forget {
        #[command(flatten)]
        consumer: Consumer,
        #[command(flatten)]
        consent: Consent,
    },
    /// Remove now what every consumer has committed
    Trim {
        /// The stream
        stream: String,
    },
    /// Reindexes that are recorded: they are begun by the application, and run there
    #[command(subcommand)]
    Reindex(Reindex),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// A consumer of a stream.
#[derive(Args, Clone, Debug)]
pub(crate) struct Consumer {
    /// The stream
    pub(crate) stream: String,
    /// The consumer
    pub(crate) consumer: String,
}

/// For what cannot be undone.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Consent {
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Tail {
    /// The stream
    pub(crate) stream: String,
    /// The delay messages that wait, in place of the main messages
    #[arg(long)]
    pub(crate) delayed: bool,
    /// Where to begin: earliest, latest, an id or a time
    #[arg(long, default_value = "latest", value_parser = crate::start::parse)]
    pub(crate) from: crate::start::Place,
    /// End after so many messages
    #[arg(long, short = 'c', value_name = "NUMBER")]
    pub(crate) count: Option<usize>,
    /// End when there are no more, in place of waiting
    #[arg(long)]
    pub(crate) no_follow: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// Count them, grouped by consumer and by error
    List {
        /// Only of this stream
        stream: Option<String>,
        /// Only of this consumer
        #[arg(requires = "stream")]
        consumer: Option<String>,
    },
    /// Print them whole: their payloads, errors and ids
    Show {
        #[command(flatten)]
        consumer: Consumer,
        #[command(flatten)]
        which: Which,
        /// At most so many
        #[arg(long, default_value_t = 100, value_name = "NUMBER")]
        limit: usize,
    },
    /// Put them back into the stream, for this consumer alone
    Redrive {
        #[command(flatten)]
        consumer: Consumer,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        consent: Consent,
    },
    /// Drop them: their changes never reach what the consumer feeds
    Discard {
        #[command(flatten)]
        consumer: Consumer,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        consent: Consent,
    },
}

/// Which dead letters; all without any of these.
#[derive(Args, Clone, Debug)]
pub(crate) struct Which {
    /// These, by their ids
    #[arg(long, value_delimiter = ',')]
    pub(crate) id: Vec<redstream_core::MessageId>,
    /// Those of one group of errors, as `dead list` names it
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) error: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Reindex {
    /// All of a stream, or of all its shards
    List {
        /// The stream, or the name that its shards have in common; all streams without it
        stream: Option<String>,
    },
    /// It queues no more keys until it is resumed
    Pause(ReindexOf),
    /// Let a paused one continue
    Resume(ReindexOf),
    /// End it
    Abort {
        #[command(flatten)]
        of: ReindexOf,
        #[command(flatten)]
        consent: Consent,
    },
    /// Remove the record of one that is done or aborted
    Forget(ReindexOf),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ReindexOf {
    /// The stream, or the name that its shards have in common
    pub(crate) stream: String,
    /// The id of the reindex
    pub(crate) id: String,
}
