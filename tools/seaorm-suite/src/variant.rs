//! One run of the tests: on one database, with their entities unchanged or streamed.

use crate::{database::Database, messages, outcome::Outcome, sources::Sources};
use anyhow::{Context, Result};
use redstream_cargo::{build_program, cargo};
use redstream_servers::Servers;
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

const PACKAGE: &str = "redstream-seaorm-stand-in";
const TARGET: &str = "suite";

#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant<'a> {
    pub(crate) database: Database,
    pub(crate) sources: &'a Sources,
}

impl Variant<'_> {
    /// Builds it and runs it. It also fails if a streamed run wrote no messages, or another run wrote some.
    pub(crate) fn run(self, servers: &Servers) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let begun = Instant::now();
        let program = self.build()?;
        outcome.building = begun.elapsed();
        let built = Instant::now();
        let before = messages::written(&servers.redis().url())?;
        // One file after the other, as cargo would run its binaries: several use a database of one name.
        for (file, tests) in tests_by_file(&program)? {
            let mut run = Command::new(&program);
            run.arg("--exact").args(tests).env("RUST_TEST_THREADS", "6");
            outcome.add(&file, run.envs(servers.environment()).env("DATABASE_URL", self.database.url(servers)))?;
        }
        outcome.messages = messages::written(&servers.redis().url())? - before;
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
        let mut build = cargo(&["test", "--workspace", "--test", TARGET, "--no-run", "--locked", "--quiet"]);
        build.args(["--features", &features]).env("REDSTREAM_SEAORM_SUITE", &self.sources.root);
        build_program(&mut build, TARGET).context("SeaORM's tests, compiled against our connection")
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
