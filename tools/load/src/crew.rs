//! The child processes of a run, their reports, and their end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use redstream_processes::{Process, Reports};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::site::{Site, TASKS};
use crate::words::{Job, Report, Written};

/// The longest that a child may take to be ready, or to end by itself.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many processes write.
const WRITERS: i64 = 2;

/// A process, or its slot while it is being restarted.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    job: Job,
    process: Option<Process>,
    heard: Arc<Heard>,
    log: PathBuf,
}

/// The sum of its reports.
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

    /// What the writers wrote since the last call.
    pub(crate) fn written(&self) -> Written {
        let mut sum = Written::default();
        for writer in &self.writers {
            sum += std::mem::take(&mut *writer.heard.written.lock().unwrap_or_else(PoisonError::into_inner));
        }
        sum
    }
}

impl Member {
    /// Starts it and waits until it works or stands by.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Process::again()?;
        command.arg("--child").stderr(log);
        // Ctrl-C in a terminal goes to a whole process group; the run ends its children itself.
        #[cfg(unix)]
        command.process_group(0);
        let started = Process::start(&mut command, &self.job).await;
        let (process, reports) = started.with_context(|| format!("could not start {}", self.name))?;
        tokio::spawn(listen(reports, self.heard.clone()));
        self.process = Some(process);
        timeout(PATIENCE, self.heard.ready.notified())
            .await
            .with_context(|| format!("{} is not ready; its log is {}", self.name, self.log.display()))
    }

    /// Kills it with SIGKILL, which it cannot catch.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.kill().await.with_context(|| format!("cannot kill {}", self.name))
    }

    /// Asks it to stop, and waits for its end. Errors if it does not end by itself, or fails.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let stopped = process.stop(PATIENCE).await;
        stopped.with_context(|| format!("could not stop {}; its log is {}", self.name, self.log.display()))
    }

    /// Its process, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Process::id)
    }
}

/// Adds up what a child reports, until it ends.
async fn listen(mut reports: Reports, heard: Arc<Heard>) {
    while let Some(report) = reports.next().await {
        match report {
            Report::Ready => heard.ready.notify_one(),
            Report::Written(more) => *heard.written.lock().unwrap_or_else(PoisonError::into_inner) += more,
        }
    }
}
