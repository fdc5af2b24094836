//! Private servers for the demo, the tests and the benchmarks.
//!
//! [`Redis`], [`Postgres`], [`MariaDb`], [`Search`] and [`Prometheus`] each start a server of their own: on a free port
//! of the loopback interface, with a temporary data directory, and with durability turned off
//! unless asked for. A missing server is installed first, and a line on standard error says so.
//!
//! What is started here also ends here. Dropping the value kills the server and removes its directory; if this process
//! dies without dropping anything (SIGKILL, ctrl-C), a small watchdog process does so instead.
//!
//! ```no_run
//! # fn main() -> Result<(), redstream_servers::Error> {
//! let redis = redstream_servers::Redis::start()?;
//! println!("listening at {}", redis.url());
//! # Ok(())
//! # }
//! ```

mod account;
mod client;
mod error;
mod install;
mod mariadb;
mod port;
mod postgres;
mod process;
mod programs;
mod prometheus;
mod redis;
mod search;
mod servers;
mod shared;
mod watchdog;

pub use client::Client;
pub use error::{Error, Result};
pub use install::{Package, ensure_installed};
pub use mariadb::MariaDb;
pub use port::free_port;
pub use postgres::Postgres;
pub use prometheus::Prometheus;
pub use redis::{Redis, RedisEdition, RedisOptions};
pub use search::{Search, SearchEdition};
pub use servers::{MARIADB_URL, POSTGRES_URL, REDIS_URL, Servers};
pub use shared::{SharedServers, serve, shared_url};

/// If this environment variable is set, the servers that no test requests by edition are the newest available: Redis
/// 8.2 and PostgreSQL 18 if the operating system's are older.
pub const NEWEST: &str = "REDSTREAM_TEST_NEWEST";

fn newest_are_wanted() -> bool {
    std::env::var_os(NEWEST).is_some_and(|value| !value.is_empty())
}

/// Prints progress to standard error, one line at a time.
fn say(line: &str) {
    eprintln!("{line}");
}
