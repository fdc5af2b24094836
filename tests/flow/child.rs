//! Processes to be killed: this test binary, run again for a single test, with a job given by an environment variable.

use std::env;

use redstream_processes::{Process, Reports, job, report};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::place::Place;
use super::{SOON, crash, reindex, standby};

/// Set for a child: its job comes on its standard input.
const VARIABLE: &str = "REDSTREAM_FLOW_CHILD";

/// The job of a child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Job {
    Reindex(Place),
    Standby(standby::Post),
    Worker(Place, crash::Manner),
    Writer(Place),
}

/// Does nothing unless it is started as a child.
#[tokio::test]
async fn child() -> anyhow::Result<()> {
    if env::var_os(VARIABLE).is_none() {
        return Ok(());
    }
    // The test runner has begun a line.
    println!();
    let (job, end) = job()?;
    match job {
        Job::Reindex(place) => reindex::walk(place, end).await,
        Job::Standby(post) => standby::work(post, end).await,
        Job::Worker(place, manner) => crash::work(place, manner, end).await,
        Job::Writer(place) => end.run_until_cancelled(crash::write(place)).await.unwrap_or(Ok(())),
    }
}

/// Sends a word to the test that started this child.
pub(super) fn say(word: &str) {
    report(&word).expect("the test that started this child lives");
}

/// A child process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    reports: Reports,
}

impl Child {
    pub(super) async fn start(job: &Job) -> Self {
        let mut again = Process::again().expect("a test has a path");
        again.args(["--exact", "flow::child::child", "--nocapture"]).env(VARIABLE, "1");
        let (process, reports) = Process::start(&mut again, job).await.expect("a test can be run again");
        Self { process, reports }
    }

    /// Waits until the child sends exactly this word.
    pub(super) async fn says(&mut self, word: &str) {
        let heard = async {
            while let Some(said) = self.reports.next::<String>().await {
                if said == word {
                    return;
                }
            }
            panic!("the child ended and did not say: {word}");
        };
        timeout(SOON, heard).await.unwrap_or_else(|_| panic!("waited {SOON:?} in vain for the child to say: {word}"));
    }

    /// Kills it with SIGKILL, and returns when it has ended.
    pub(super) async fn kill(&mut self) {
        self.process.kill().await.expect("a child can be killed");
    }

    /// Stops it as SIGTERM does, and returns when it has ended.
    pub(super) async fn stop(&mut self) {
        self.process.stop(SOON).await.expect("the child stops in time, and well");
    }
}
