//! `cargo xtask demo`.

use crate::{
    cargo::{cargo, exit_code},
    interrupt,
};
use anyhow::{Context, Result, anyhow, ensure};
use redstream_cargo::build_program;
use redstream_servers::{Redis, RedisEdition, RedisOptions, Search, SearchEdition};
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
    /// The search index
    #[arg(long, value_enum, default_value_t)]
    sink: Sink,
    /// The server of `--sink opensearch`, one that speaks OpenSearch's protocol [default: a private osmem-server]
    #[arg(long)]
    search_url: Option<String>,
    /// Replace the index by another one under searches and writes: with `--sink opensearch`
    #[arg(long)]
    swap: bool,
    /// Keep running, and open a page: search, save, kill a worker, stop Redis, and watch it heal
    #[arg(long, conflicts_with = "swap")]
    open: bool,
    /// More arguments for the demo
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Where the demo's documents are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Sink {
    /// A folder, within the worker processes
    #[default]
    Tantivy,
    /// A server
    Opensearch,
}

/// The servers that were started for the demo.
struct Private {
    redis: Option<Redis>,
    search: Option<Search>,
}

impl Options {
    /// The features of the demo that the options need.
    fn features(&self) -> Vec<&'static str> {
        let search = (self.sink == Sink::Opensearch).then_some("opensearch");
        let page = self.open.then_some("open");
        self.driver().into_iter().chain(search).chain(page).collect()
    }

    /// The feature of the demo that holds the driver of the database, if that is not SQLite.
    fn driver(&self) -> Option<&'static str> {
        let (scheme, _) = self.database_url.as_deref()?.split_once(':')?;
        match scheme {
            "postgres" | "postgresql" => Some("postgres"),
            "mysql" | "mariadb" => Some("mariadb"),
            _ => None,
        }
    }

    /// Private servers, in place of those that are not named.
    fn private_servers(&self) -> Result<Private> {
        let mut private = Private { redis: None, search: None };
        if self.redis_url.is_none() {
            // It is installed now if it is missing. The page starts its own one, so that it can stop it.
            let edition = RedisEdition::newest()?;
            private.redis = if self.open { None } else { Some(RedisOptions::new().edition(edition).start()?) };
        }
        if self.sink == Sink::Opensearch && self.search_url.is_none() {
            private.search = Some(Search::start(SearchEdition::OpenSearch)?);
        }
        Ok(private)
    }

    /// Adds the demo's arguments to its command.
    fn complete<'c>(&self, demo: &'c mut Command, private: &Private) -> &'c mut Command {
        for (name, value) in [
            ("--limit", self.limit.map(|limit| limit.to_string())),
            ("--redis-url", self.redis_url.clone().or_else(|| private.redis.as_ref().map(Redis::url))),
            ("--database-url", self.database_url.clone()),
            ("--search-url", self.search_url.clone().or_else(|| private.search.as_ref().map(Search::url))),
        ] {
            if let Some(value) = value {
                demo.args([name, &value]);
            }
        }
        for (flag, is_set) in [("--swap", self.swap), ("--open", self.open)] {
            if is_set {
                demo.arg(flag);
            }
        }
        demo.args(&self.arguments)
    }

    /// The demo on few cities and with every default: enough to see that it works.
    pub(crate) fn short() -> Self {
        Self {
            limit: Some(2000),
            redis_url: None,
            database_url: None,
            sink: Sink::Tantivy,
            search_url: None,
            swap: false,
            open: false,
            arguments: Vec::new(),
        }
    }

    /// The same with a search server, whose index is replaced.
    pub(crate) fn short_swap() -> Self {
        Self { sink: Sink::Opensearch, swap: true, ..Self::short() }
    }
}

/// Builds the demo with what it needs, runs it, and passes its exit code on. The servers are looked for, or installed,
/// while it builds.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    ensure!(
        options.sink == Sink::Opensearch || !(options.swap || options.search_url.is_some()),
        "tantivy's index is a folder: add --sink opensearch to use a server, or to replace its index"
    );
    eprintln!("building the demo for {}; its servers are started meanwhile", options.driver().unwrap_or("sqlite"));
    let (program, private) = thread::scope(|scope| {
        let private = scope.spawn(|| options.private_servers());
        let program = build(&options.features());
        (program, private.join())
    });
    let private = private.map_err(|_| anyhow!("the thread that started the servers panicked"))??;
    interrupt::check()?;
    let mut demo = Command::new(program?);
    let status = options.complete(&mut demo, &private).status().context("could not run the demo")?;
    // The page ends by ctrl-C.
    if !options.open {
        interrupt::check()?;
    }
    Ok(exit_code(status))
}

fn build(features: &[&str]) -> Result<PathBuf> {
    let mut build =
        cargo(&["build", "--locked", "--profile", "demo", "--package", "redstream-demo", "--no-default-features"]);
    if !features.is_empty() {
        build.args(["--features", &features.join(",")]);
    }
    build_program(&mut build, "demo")
}

/// Runs the demo that was built as `program`, and tells whether it succeeded in reasonable time.
pub(crate) fn succeeds(program: &Path, options: &Options) -> Result<bool> {
    let private = options.private_servers()?;
    let mut demo = Command::new(program);
    let mut child = options
        .complete(&mut demo, &private)
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
