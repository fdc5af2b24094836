//! The crew: the children of a run, what they report, and their end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::site::Site;
use crate::writer::TASKS;

/// The longest that a child may take to be ready, or to end by itself.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many processes write.
const WRITERS: i64 = 2;

/// What a child is: one line of JSON on its standard input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    Workers(Site),
    Writer { site: Site, first: i64, of: i64 },
}

/// What a child says of itself: lines of JSON on its standard output.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    Ready,
    /// What a writer has written since its last report.
    Written(Written),
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Written {
    /// Rows that were changed and committed.
    pub(crate) changes: u64,
    pub(crate) commits: u64,
    /// Writes that returned an error.
    pub(crate) failures: u64,
}

impl std::ops::AddAssign for Written {
    fn add_assign(&mut self, more: Self) {
        self.changes += more.changes;
        self.commits += more.commits;
        self.failures += more.failures;
    }
}

/// A process, or its place while it is being started again.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    job: Job,
    process: Option<(Child, ChildStdin)>,
    heard: Arc<Heard>,
    log: PathBuf,
}

/// What its reports amount to.
#[derive(Debug, Default)]
struct Heard {
    written: Mutex<Written>,
    ready: Notify,
}

/// Two hosts of workers, two writers.
#[derive(Debug)]
pub(crate) struct Crew {
    pub(crate) hosts: [Member; 2],
    pub(crate) writers: [Member; 2],
}

impl Crew {
    pub(crate) fn new(site: &Site, folder: &Path) -> Self {
        let member = |name, job| Member {
            name,
            job,
            process: None,
            heard: Arc::default(),
            log: folder.join(format!("{name}.log").replace(' ', "-")),
        };
        let host = |name| member(name, Job::Workers(site.clone()));
        let writer = |name, which: i64| {
            member(name, Job::Writer { site: site.clone(), first: which * TASKS, of: WRITERS * TASKS })
        };
        Self { hosts: [host("host A"), host("host B")], writers: [writer("writer A", 0), writer("writer B", 1)] }
    }

    /// What the writers wrote since this was asked last.
    pub(crate) fn written(&self) -> Written {
        let mut sum = Written::default();
        for writer in &self.writers {
            sum += std::mem::take(&mut *writer.heard.written.lock().unwrap_or_else(PoisonError::into_inner));
        }
        sum
    }
}

impl Member {
    /// Starts it and waits until it is at work, or stands by.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--child").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        // Ctrl-C in a terminal goes to a whole process group; the run ends its children itself.
        #[cfg(unix)]
        command.process_group(0);
        let mut process = command.spawn().with_context(|| format!("cannot start {}", self.name))?;
        let mut input = process.stdin.take().context("a child without input")?;
        let output = process.stdout.take().context("a child without output")?;
        tokio::spawn(listen(output, self.heard.clone()));
        let mut job = serde_json::to_string(&self.job)?;
        job.push('\n');
        input.write_all(job.as_bytes()).await.with_context(|| format!("{} does not take its job", self.name))?;
        self.process = Some((process, input));
        timeout(PATIENCE, self.heard.ready.notified())
            .await
            .with_context(|| format!("{} is not ready; its log is {}", self.name, self.log.display()))
    }

    /// Kills it with SIGKILL, which it cannot notice.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        let Some((mut process, _)) = self.process.take() else { return Ok(()) };
        process.kill().await.with_context(|| format!("cannot kill {}", self.name))
    }

    /// Asks it to stop, and waits for its end. Errors where it does not end by itself, or not well.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let Some((mut process, input)) = self.process.take() else { return Ok(()) };
        drop(input);
        let ended = timeout(PATIENCE, process.wait()).await;
        let status = ended.with_context(|| format!("{} does not end", self.name))??;
        anyhow::ensure!(status.success(), "{} ended with {status}; its log is {}", self.name, self.log.display());
        Ok(())
    }

    /// Its process, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(|(process, _)| process.id())
    }
}

/// Adds up what a child reports, until it is gone.
async fn listen(output: ChildStdout, heard: Arc<Heard>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Report::Ready) => heard.ready.notify_one(),
            Ok(Report::Written(more)) => *heard.written.lock().unwrap_or_else(PoisonError::into_inner) += more,
            // Nothing else is ever printed there.
            Err(_) => {}
        }
    }
}
