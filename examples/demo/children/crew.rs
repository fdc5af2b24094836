//! The child processes of a run, their reports, and their end.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use redstream_processes::{Process, Reports};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::{Job, Report};
use crate::stage::Stage;

/// The longest time until a child must report.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of a child's log is shown when the demo fails.
const LOG_LINES: usize = 10;

/// The children. Dropping it kills them.
pub(crate) struct Crew {
    folder: PathBuf,
    children: Vec<Member>,
    reports: UnboundedReceiver<News>,
    reporters: UnboundedSender<News>,
}

struct Member {
    process: Process,
    log: PathBuf,
    /// Whether it was killed or stopped on purpose.
    ended_by_us: bool,
}

/// What a child reported, and when that arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct News {
    pub(crate) who: usize,
    pub(crate) report: Report,
    pub(crate) at: Instant,
}

impl Crew {
    pub(crate) fn new(stage: &Stage) -> Self {
        let (reporters, reports) = unbounded_channel();
        Self { folder: stage.folder().to_owned(), children: Vec::new(), reports, reporters }
    }

    /// Starts a child and returns its number.
    pub(crate) async fn hire(&mut self, job: &Job) -> anyhow::Result<usize> {
        let who = self.children.len();
        let log = self.folder.join(format!("child-{who}.log"));
        let mut command = Process::again()?;
        command.arg("--child").stderr(File::create(&log)?);
        // Ctrl-C in a terminal goes to a whole process group; the demo ends its children itself.
        #[cfg(unix)]
        command.process_group(0);
        let (process, reports) = Process::start(&mut command, job).await?;
        tokio::spawn(listen(who, reports, self.reporters.clone()));
        self.children.push(Member { process, log, ended_by_us: false });
        Ok(who)
    }

    /// The next report, whatever it is.
    #[cfg(feature = "open")]
    pub(crate) async fn next(&mut self) -> Option<News> {
        self.reports.recv().await
    }

    /// Waits for the end of a child that is gone, so that the system forgets its process.
    #[cfg(feature = "open")]
    pub(crate) async fn wait(&mut self, who: usize) {
        // It fails only if it has been waited for.
        _ = self.children[who].process.ended().await;
    }

    /// The next report. Errors if a child has ended that was not killed.
    pub(crate) async fn news(&mut self, awaited: &str) -> anyhow::Result<News> {
        let news = timeout(PATIENCE, self.reports.recv()).await;
        let news = news.with_context(|| format!("waited {} seconds in vain: {awaited}", PATIENCE.as_secs()))?;
        let news = news.context("all children are gone")?;
        if news.report == Report::Gone && !self.children[news.who].ended_by_us {
            bail!("child {} ended by itself, instead of: {awaited}", news.who);
        }
        Ok(news)
    }

    /// Waits until a child reports exactly this.
    pub(crate) async fn hear(&mut self, who: usize, report: Report, awaited: &str) -> anyhow::Result<News> {
        loop {
            let news = self.news(awaited).await?;
            if (news.who, news.report) == (who, report) {
                return Ok(news);
            }
        }
    }

    /// Drops what was reported so far.
    pub(crate) fn ignore_old_news(&mut self) {
        while self.reports.try_recv().is_ok() {}
    }

    /// Kills a child with SIGKILL, which it cannot catch, and returns the time.
    pub(crate) fn kill(&mut self, who: usize) -> anyhow::Result<Instant> {
        let member = &mut self.children[who];
        member.ended_by_us = true;
        member.process.start_kill().with_context(|| format!("cannot kill child {who}"))?;
        Ok(Instant::now())
    }

    /// Tells a child to stop, and waits until it has.
    #[cfg(feature = "opensearch")]
    pub(crate) async fn stop(&mut self, who: usize) -> anyhow::Result<()> {
        let member = &mut self.children[who];
        member.ended_by_us = true;
        member.process.stop(PATIENCE).await.with_context(|| format!("cannot stop child {who}"))
    }

    /// The process id of a child, while it is running.
    pub(crate) fn pid(&self, who: usize) -> String {
        self.children[who].process.id().map_or_else(|| "?".to_owned(), |pid| pid.to_string())
    }

    /// Shows the last lines that each child logged, to help find out why the demo failed.
    pub(crate) fn show_logs(&self) {
        for (who, member) in self.children.iter().enumerate() {
            let log = std::fs::read_to_string(&member.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            for line in lines.iter().skip(lines.len().saturating_sub(LOG_LINES)) {
                eprintln!("child {who}: {line}");
            }
        }
    }

    /// Ends all children, and waits until they have ended.
    pub(crate) async fn dismiss(mut self) {
        for member in &mut self.children {
            // Fails only if it has already ended.
            _ = member.process.kill().await;
        }
    }
}

/// Passes on what a child reports, and then its end.
async fn listen(who: usize, mut reports: Reports, reporters: UnboundedSender<News>) {
    // It fails only when the demo is about to end.
    let pass_on = |report| _ = reporters.send(News { who, report, at: Instant::now() });
    while let Some(report) = reports.next().await {
        pass_on(report);
    }
    pass_on(Report::Gone);
}
