//! The processes that the demo starts: this same program, told by its standard input what to be. A
//! child reports on its standard output, and ends when its standard input does, so that none is left
//! behind whatever becomes of the demo.

mod crew;
mod halting;
mod worker;
mod writer;

use std::io::Write as _;

use anyhow::Context as _;
use redstream_seaorm::CancellationToken;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

pub(crate) use crew::Crew;

use crate::site::Site;

/// What a child is: one line of JSON on its standard input. Not an argument, where everybody on the
/// machine could read a database's password.
#[derive(Serialize, Deserialize)]
pub(crate) enum Job {
    /// Carries the cities to the index, or stands by.
    Worker(Site),
    /// Saves the city of this id, and stops between COMMIT and main message.
    Writer(Site, usize),
}

/// What a child says of itself: lines of JSON on its standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The worker is at work, or stands by.
    Ready,
    /// The handler got a batch of so many messages.
    Handling(usize),
    /// The handler is done with it.
    Handled,
    /// The writer's transaction is committed, and nothing after it was done.
    Committed,
    /// The process is no more.
    Gone,
}

/// A child's life.
pub(crate) async fn live() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let end = end_of_input();
    match serde_json::from_str(&line).context("standard input is no job: a child is started by the demo alone")? {
        Job::Worker(site) => worker::work(&site, end.cancelled()).await,
        Job::Writer(site, id) => tokio::select! {
            written = writer::write(&site, id) => written,
            () = end.cancelled() => Ok(()),
        },
    }
}

/// Cancelled at the end of standard input: the demo is done, or dead.
fn end_of_input() -> CancellationToken {
    let end = CancellationToken::new();
    let ended = end.clone();
    // A thread of its own: a read that tokio has under way would keep a child that failed from ending.
    std::thread::spawn(move || {
        _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        ended.cancel();
    });
    end
}

fn report(report: Report) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(&report)?;
    line.push('\n');
    // In one piece, so that a kill never leaves half a line.
    std::io::stdout().write_all(line.as_bytes()).context("nobody reads the reports")
}
