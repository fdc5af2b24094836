//! One run of the tests: on one database, with their entities as they are or streamed.

use super::{database::Database, messages, outcome::Outcome, sources::Sources};
use crate::{cargo::cargo, interrupt, servers::Servers};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

const PACKAGE: &str = "redstream-seaorm-suite";

#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant<'a> {
    pub(crate) database: Database,
    pub(crate) sources: &'a Sources,
}

impl Variant<'_> {
    /// Builds it and runs it. That messages were written, or none, is one more thing that can fail.
    pub(crate) fn run(self, servers: &Servers) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let begun = Instant::now();
        let program = self.build()?;
        outcome.building = begun.elapsed();
        let built = Instant::now();
        let before = messages::written(&servers.url("REDSTREAM_TEST_REDIS_URL"))?;
        // One file after the other, as cargo would run its binaries: several use a database of one name.
        for (file, tests) in tests_by_file(&program)? {
            interrupt::check()?;
            let mut run = Command::new(&program);
            run.arg("--exact").args(tests).env("RUST_TEST_THREADS", "6");
            outcome.add(&file, run.envs(servers.environment()).env("DATABASE_URL", self.database.url(servers)))?;
        }
        outcome.messages = messages::written(&servers.url("REDSTREAM_TEST_REDIS_URL"))? - before;
        if (outcome.messages > 0) != self.sources.is_streamed() {
            outcome.fail(&format!("{self}: {} messages", outcome.messages));
        }
        outcome.running = built.elapsed();
        Ok(outcome)
    }

    /// With the features of the whole workspace, so that what the other tests have built is not built again.
    fn build(self) -> Result<PathBuf> {
        let mut features = format!("{PACKAGE}/suite,{PACKAGE}/{}", self.database.feature());
        if self.sources.is_streamed() {
            features = format!("{features},{PACKAGE}/streamed");
        }
        let mut build = cargo(&["test", "--workspace", "--test", "suite", "--no-run", "--locked", "--quiet"]);
        build.args(["--message-format", "json-render-diagnostics", "--features", &features]);
        let built = build.env("REDSTREAM_SEAORM_SUITE", &self.sources.root).stderr(Stdio::inherit()).output();
        let built = built.context("could not run cargo")?;
        interrupt::check()?;
        ensure!(built.status.success(), "SeaORM's tests do not compile against our connection");
        let messages = String::from_utf8_lossy(&built.stdout).into_owned();
        let program =
            messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
                let suite = message["target"]["name"] == "suite";
                message["executable"].as_str().filter(|_| suite).map(PathBuf::from)
            });
        program.context("cargo does not tell where it put the tests")
    }
}

impl fmt::Display for Variant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sources.entities {
            0 => write!(f, "{}, plain", self.database),
            entities => write!(f, "{}, {entities} entities streamed", self.database),
        }
    }
}

/// All tests, by the module of the file they are in.
fn tests_by_file(program: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let listed = Command::new(program).args(["--list", "--format", "terse"]).output();
    let listed = String::from_utf8(listed.context("could not list SeaORM's tests")?.stdout)?;
    let mut tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for test in listed.lines().filter_map(|line| line.strip_suffix(": test")) {
        let (file, _) = test.split_once("::").unwrap_or_default();
        tests.entry(file.to_owned()).or_default().push(test.to_owned());
    }
    Ok(tests)
}
