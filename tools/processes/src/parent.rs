//! The parent's side.

use anyhow::{Context as _, Result, ensure};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    env,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// A child process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    input: Option<Input>,
}

impl Process {
    /// The command that starts this program again.
    ///
    /// # Errors
    /// If the operating system does not report the program's path.
    pub fn again() -> Result<Command> {
        Ok(Command::new(env::current_exe().context("could not tell where this program is")?))
    }

    /// Starts a process and gives it its job.
    ///
    /// # Errors
    /// If it cannot be started, or ends before it has read its job.
    pub async fn start(command: &mut Command, job: &impl Serialize) -> Result<(Self, Reports)> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("could not start a child process")?;
        let mut input = Input(child.stdin.take().context("a child process has no input")?);
        let output = child.stdout.take().context("a child process has no output")?;
        input.tell(&serde_json::to_string(job)?).await.context("a child process does not take its job")?;
        Ok((Self { child, input: Some(input) }, Reports(BufReader::new(output).lines())))
    }

    /// Its standard input. Without it, [`stop`](Self::stop) only waits.
    pub fn take_input(&mut self) -> Option<Input> {
        self.input.take()
    }

    /// Its standard error, if its command has that piped.
    pub fn take_errors(&mut self) -> Option<Lines<BufReader<ChildStderr>>> {
        self.child.stderr.take().map(|errors| BufReader::new(errors).lines())
    }

    /// Its id, until its end has been waited for.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills it with SIGKILL, which it cannot catch, and returns at once.
    ///
    /// # Errors
    /// If it has ended before.
    pub fn start_kill(&mut self) -> Result<()> {
        self.child.start_kill().context("could not kill a child process")
    }

    /// Kills it with SIGKILL, and returns when it has ended.
    ///
    /// # Errors
    /// If it has ended before.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("could not kill a child process")
    }

    /// Tells it to stop, and waits until it has.
    ///
    /// # Errors
    /// If it does not end within `bound`, or fails.
    pub async fn stop(&mut self, bound: Duration) -> Result<()> {
        self.input.take();
        let ended = timeout(bound, self.ended()).await;
        let status = ended.with_context(|| format!("a child process did not stop within {bound:?}"))??;
        ensure!(status.success(), "a child process ended with {status}");
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        self.child.wait().await.context("could not wait for a child process")
    }
}

/// The input of a process. Dropping it tells the process to stop.
#[derive(Debug)]
pub struct Input(ChildStdin);

impl Input {
    /// Sends it a line.
    ///
    /// # Errors
    /// If the process has ended.
    pub async fn tell(&mut self, line: &str) -> Result<()> {
        self.0.write_all(format!("{line}\n").as_bytes()).await.context("a child process has ended")
    }
}

/// The output of a process.
#[derive(Debug)]
pub struct Reports(Lines<BufReader<ChildStdout>>);

/// A line of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<R> {
    /// What the process [reported](crate::report).
    Report(R),
    /// Anything else.
    Other(String),
}

impl Reports {
    /// Waits for the next line. `None` when the process has ended.
    pub async fn next_line<R: DeserializeOwned>(&mut self) -> Option<Line<R>> {
        let line = self.0.next_line().await.ok().flatten()?;
        Some(serde_json::from_str(&line).map_or(Line::Other(line), Line::Report))
    }

    /// Waits for the next report. `None` when the process has ended.
    pub async fn next<R: DeserializeOwned>(&mut self) -> Option<R> {
        loop {
            if let Line::Report(report) = self.next_line().await? {
                return Some(report);
            }
        }
    }
}
