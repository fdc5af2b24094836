//! The servers of a run.

/// Their addresses, on the command line.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Servers {
    /// The Redis to use. All keys are in a namespace of this run, which is removed in the end [default: the
    /// one on this machine, or a private one with --open]
    #[arg(long = "redis-url", value_name = "URL")]
    pub(crate) redis: Option<String>,
    /// The primary database: postgres://… or mysql://… [default: an SQLite file in a temporary folder]
    #[arg(long = "database-url", value_name = "URL")]
    pub(crate) database: Option<String>,
    /// A server that speaks OpenSearch's protocol. The indices are of this run, and are removed in the end [default:
    /// tantivy, in a temporary folder]
    #[arg(long = "search-url", value_name = "URL")]
    pub(crate) search: Option<String>,
}
