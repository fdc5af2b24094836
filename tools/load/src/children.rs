//! The processes that the run starts: this same program, told by its standard input what to be. A child reports on its standard
//! output, and ends when its standard input does, so that none is left behind whatever becomes of the run.

use std::io::Write as _;

use anyhow::Context as _;
use tokio::sync::oneshot;

use crate::crew::{Job, Report};
use crate::{workers, writer};

/// A child's life.
pub(crate) async fn live() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let end = end_of_input();
    match serde_json::from_str(&line).context("standard input is no job: a child is started by the run alone")? {
        Job::Workers(site) => workers::work(&site, end).await,
        Job::Writer { site, first, of } => tokio::select! {
            written = writer::write(&site, first, of) => written,
            () = end => Ok(()),
        },
    }
}

/// Tells the run something: a line of JSON, in one piece, so that a kill never leaves half of it.
pub(crate) fn report(report: Report) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(&report)?;
    line.push('\n');
    std::io::stdout().write_all(line.as_bytes()).context("nobody reads the reports")
}

/// Done when standard input ends: the run wants it so, or is dead.
async fn end_of_input() {
    let (ended, end) = oneshot::channel();
    // A thread of its own: a read that tokio has under way would keep a child that failed from ending.
    std::thread::spawn(move || {
        _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        _ = ended.send(());
    });
    _ = end.await;
}
