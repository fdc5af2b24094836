//! Processes to be killed: this test binary, run again for one test alone, which an environment
//! variable turns into whatever the story needs.

use std::env;
use std::process::Stdio;

use redstream_core::CancellationToken;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::place::Place;
use super::{SOON, crash, standby};

const VARIABLE: &str = "REDSTREAM_FLOW_CHILD";
/// Sets a child's words apart from what the test runner prints on the same line.
const MARK: char = '@';

/// What a child is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Job {
    Standby(standby::Post),
    Worker(Place, crash::Manner),
    Writer(Place),
}

/// Does nothing, unless it is started as a child.
#[tokio::test]
async fn child() -> anyhow::Result<()> {
    let Ok(job) = env::var(VARIABLE) else { return Ok(()) };
    let end = end_of_input();
    match serde_json::from_str(&job)? {
        Job::Standby(post) => standby::work(post, end).await,
        Job::Worker(place, manner) => crash::work(place, manner, end).await,
        Job::Writer(place) => tokio::select! {
            written = crash::write(place) => written,
            () = end.cancelled() => Ok(()),
        },
    }
}

/// Says a word to the test that started this child.
pub(super) fn say(word: &str) {
    println!("{MARK}{word}");
}

/// Cancelled when the test closes the child's input, or is no more.
fn end_of_input() -> CancellationToken {
    let end = CancellationToken::new();
    let ended = end.clone();
    std::thread::spawn(move || {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).ok();
        ended.cancel();
    });
    end
}

/// A child process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Child {
    process: tokio::process::Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    pub(super) fn start(job: &Job) -> Self {
        let mut process = Command::new(env::current_exe().expect("a test has a path"))
            .args(["--exact", "flow::child::child", "--nocapture"])
            .env(VARIABLE, serde_json::to_string(job).expect("a job is JSON"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a test can be run again");
        let output = process.stdout.take().expect("its output is piped");
        Self { input: process.stdin.take(), output: BufReader::new(output).lines(), process }
    }

    /// Waits until the child says this very word.
    pub(super) async fn says(&mut self, word: &str) {
        let heard = async {
            while let Some(line) = self.output.next_line().await.expect("its output is text") {
                if line.split_once(MARK).is_some_and(|(_, said)| said == word) {
                    return;
                }
            }
            panic!("the child ended and did not say: {word}");
        };
        timeout(SOON, heard).await.unwrap_or_else(|_| panic!("waited {SOON:?} in vain for the child to say: {word}"));
    }

    /// Kills it with SIGKILL, and returns when it is gone.
    pub(super) async fn kill(&mut self) {
        self.process.kill().await.expect("a child can be killed");
    }

    /// Tells it to stop, as SIGTERM would, and returns when it has.
    pub(super) async fn stop(&mut self) {
        self.input.take();
        let status = timeout(SOON, self.process.wait()).await.expect("the child stops in time");
        let status = status.expect("a child ends");
        assert!(status.success(), "the child failed: {status}");
    }
}
