//! The child's side.

use anyhow::{Context as _, Result};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{BufRead as _, Write as _, stdin, stdout},
    thread,
};
use tokio_util::sync::CancellationToken;

/// Reads the job of this process. The token is cancelled when the process must stop, or its parent is dead.
///
/// # Errors
/// If standard input does not begin with such a job: a person may have started the process.
pub fn job<J: DeserializeOwned>() -> Result<(J, CancellationToken)> {
    job_and_lines(|_| {})
}

/// The same; `hear` is called with each further line from the parent.
pub fn job_and_lines<J: DeserializeOwned>(hear: impl Fn(&str) + Send + 'static) -> Result<(J, CancellationToken)> {
    let mut line = String::new();
    stdin().read_line(&mut line).context("could not read a job from standard input")?;
    let job = serde_json::from_str(&line)
        .context("standard input is no job: only the program itself starts such a process")?;
    let end = CancellationToken::new();
    let ended = end.clone();
    // A separate thread: a read that tokio has begun would keep a process that has failed from ending.
    thread::spawn(move || {
        stdin().lock().lines().map_while(std::io::Result::ok).for_each(|line| hear(&line));
        ended.cancel();
    });
    Ok((job, end))
}

/// Sends a report to the parent.
///
/// # Errors
/// If the parent is dead.
pub fn report(report: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_string(report)?;
    line.push('\n');
    // In one write, so that a kill never leaves half a line.
    stdout().write_all(line.as_bytes()).context("no process reads the reports")
}
