//! `cargo xtask demo`.

use crate::{
    cargo::{cargo, exit_code},
    interrupt,
};
use anyhow::{Context, Result};
use redstream_servers::{Redis, RedisEdition, RedisOptions};
use std::{
    path::Path,
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

/// How long the short demo of a test run may take.
const BOUND: Duration = Duration::from_mins(5);

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Take only so many cities [default: all 144,563]
    #[arg(long)]
    limit: Option<u32>,
    /// The Redis to use [default: a private one, the newest to be had]
    #[arg(long)]
    redis_url: Option<String>,
    /// The primary database: SQLite, PostgreSQL or MariaDB [default: a temporary SQLite file]
    #[arg(long)]
    database_url: Option<String>,
    /// More arguments for the demo
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Options {
    /// The demo on few cities and with every default: enough to see that it works.
    pub(crate) fn short() -> Self {
        Self { limit: Some(2000), redis_url: None, database_url: None, arguments: Vec::new() }
    }
}

/// Builds the demo in release, runs it, and passes its exit code on.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut demo = cargo(&["run", "--release", "--package", "redstream-examples", "--bin", "demo", "--"]);
    with_redis(&mut demo, options, |demo| {
        let status = demo.status().context("could not run cargo")?;
        interrupt::check()?;
        Ok(exit_code(status))
    })
}

/// Runs the demo that was built as `program`, and tells whether it succeeded in reasonable time.
pub(crate) fn succeeds(program: &Path, options: &Options) -> Result<bool> {
    with_redis(&mut Command::new(program), options, |demo| {
        let mut child = demo.spawn().with_context(|| format!("could not run {}", program.display()))?;
        let deadline = Instant::now() + BOUND;
        while Instant::now() < deadline {
            if let Some(status) = child.try_wait().context("could not wait for the demo")? {
                return Ok(status.success());
            }
            thread::sleep(Duration::from_millis(50));
        }
        eprintln!("the demo was not done within {} s", BOUND.as_secs());
        child.kill().context("could not kill the demo")?;
        child.wait().context("could not wait for the demo")?;
        Ok(false)
    })
}

/// Adds the demo's arguments to its command, and lets it run while its Redis does.
fn with_redis<T>(demo: &mut Command, options: &Options, run: impl FnOnce(&mut Command) -> Result<T>) -> Result<T> {
    let newest = || RedisOptions::new().edition(RedisEdition::newest()?).start();
    let private = options.redis_url.is_none().then(newest).transpose()?;
    let url = options.redis_url.clone().or_else(|| private.as_ref().map(Redis::url));
    for (name, value) in [
        ("--limit", options.limit.map(|limit| limit.to_string())),
        ("--redis-url", url),
        ("--database-url", options.database_url.clone()),
    ] {
        if let Some(value) = value {
            demo.args([name, &value]);
        }
    }
    run(demo.args(&options.arguments))
}
