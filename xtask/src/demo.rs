//! `cargo xtask demo`.

use crate::{
    cargo::{cargo, exit_code},
    interrupt,
};
use anyhow::{Context, Result, anyhow};
use redstream_cargo::build_program;
use redstream_servers::{Redis, RedisEdition, RedisOptions};
use std::{
    path::{Path, PathBuf},
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
    /// The feature of the demo that holds the driver of the database, if that is not SQLite.
    fn driver(&self) -> Option<&'static str> {
        let (scheme, _) = self.database_url.as_deref()?.split_once(':')?;
        match scheme {
            "postgres" | "postgresql" => Some("postgres"),
            "mysql" | "mariadb" => Some("mariadb"),
            _ => None,
        }
    }

    /// A private Redis, unless one is named.
    fn private_redis(&self) -> Result<Option<Redis>> {
        if self.redis_url.is_some() {
            return Ok(None);
        }
        Ok(Some(RedisOptions::new().edition(RedisEdition::newest()?).start()?))
    }

    /// Adds the demo's arguments to its command.
    fn complete<'c>(&self, demo: &'c mut Command, redis: Option<&Redis>) -> &'c mut Command {
        for (name, value) in [
            ("--limit", self.limit.map(|limit| limit.to_string())),
            ("--redis-url", self.redis_url.clone().or_else(|| redis.map(Redis::url))),
            ("--database-url", self.database_url.clone()),
        ] {
            if let Some(value) = value {
                demo.args([name, &value]);
            }
        }
        demo.args(&self.arguments)
    }

    /// The demo on few cities and with every default: enough to see that it works.
    pub(crate) fn short() -> Self {
        Self { limit: Some(2000), redis_url: None, database_url: None, arguments: Vec::new() }
    }
}

/// Builds the demo with the driver that it needs, runs it, and passes its exit code on. A Redis is looked for, or installed,
/// while it builds.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let driver = options.driver();
    eprintln!("building the demo for {}; Redis is started meanwhile", driver.unwrap_or("sqlite"));
    let (program, redis) = thread::scope(|scope| {
        let redis = scope.spawn(|| options.private_redis());
        let program = build(driver);
        (program, redis.join())
    });
    let redis = redis.map_err(|_| anyhow!("the thread that started Redis panicked"))??;
    interrupt::check()?;
    let mut demo = Command::new(program?);
    let status = options.complete(&mut demo, redis.as_ref()).status().context("could not run the demo")?;
    interrupt::check()?;
    Ok(exit_code(status))
}

fn build(driver: Option<&str>) -> Result<PathBuf> {
    let mut build = cargo(&["build", "--locked", "--profile", "demo", "--package", "redstream-demo"]);
    if let Some(driver) = driver {
        build.args(["--features", driver]);
    }
    build_program(&mut build, "demo")
}

/// Runs the demo that was built as `program`, and tells whether it succeeded in reasonable time.
pub(crate) fn succeeds(program: &Path, options: &Options) -> Result<bool> {
    let redis = options.private_redis()?;
    let mut demo = Command::new(program);
    let mut child = options
        .complete(&mut demo, redis.as_ref())
        .spawn()
        .with_context(|| format!("could not run {}", program.display()))?;
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
}
