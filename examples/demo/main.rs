//! The demo: 144,563 real cities in a database, and in a search index that follows it through bulk
//! loads, live changes, rollbacks and crashes. In the end the index is verified, row by row.
//!
//! Run it with `cargo xtask demo`. With `--open` it is a page in a browser instead, which keeps running: see [`open`].
//! The processes that it starts (two workers, and a writer that gets
//! killed) are this same program; see [`children`].

mod children;
mod city;
mod clean_up;
mod data;
mod eventually;
#[cfg(feature = "open")]
mod open;
mod plot;
mod screen;
mod search;
mod servers;
mod site;
mod stage;

use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail, ensure};
use clap::Parser;

use crate::children::Crew;
use crate::plot::Program;
use crate::screen::Screen;
use crate::servers::Servers;
use crate::stage::Stage;

/// Carries 144,563 real cities from a database to a search index, through crashes, and compares both.
#[derive(Debug, Parser)]
#[command(name = "demo", after_help = "Cities: GeoNames (https://www.geonames.org), CC BY 4.0.")]
struct Options {
    #[command(flatten)]
    servers: Servers,
    /// Replace the index by another one, whose documents have a label more, under searches and writes
    #[arg(long, requires = "search")]
    swap: bool,
    /// Take only the first N cities (at least 10).
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(10..))]
    limit: Option<u32>,
    #[cfg(feature = "open")]
    #[command(flatten)]
    page: open::Arguments,
    /// Be one of the processes that the demo starts; standard input says which.
    #[arg(long, hide = true)]
    child: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = if options.child { children::live().await } else { Box::pin(run(&options)).await };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", in_words(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, each printed once: many errors include the text of their cause.
fn in_words(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        _ if said.contains(&cause) => said,
        _ => format!("{said}: {cause}"),
    })
}

async fn run(options: &Options) -> anyhow::Result<()> {
    #[cfg(feature = "open")]
    if options.page.open {
        return open::show(&options.servers, options.page, limit(options)?, told_to_stop()).await;
    }
    demo(options).await
}

fn limit(options: &Options) -> anyhow::Result<usize> {
    Ok(options.limit.map_or(Ok(usize::MAX), usize::try_from)?)
}

async fn demo(options: &Options) -> anyhow::Result<()> {
    let screen = Screen::new();
    let mut stop = std::pin::pin!(told_to_stop());
    let stage = tokio::select! {
        stage = Stage::set(&options.servers) => stage?,
        signal = &mut stop => bail!("stopped by {}", signal?),
    };
    let program = Program { limit: limit(options)?, swap: options.swap };
    let mut crew = Crew::new(&stage);

    let (outcome, stopped) = tokio::select! {
        outcome = plot::play(&stage, &mut crew, &screen, program) => (outcome, false),
        signal = stop => (Err(anyhow!("stopped by {}", signal.unwrap_or("a signal that cannot be read"))), true),
    };

    screen.clear();
    if outcome.is_err() && !stopped {
        crew.show_logs();
    }
    crew.dismiss().await;
    let cleaned = stage.strike().await;
    let report = outcome?;
    cleaned.context("the demo went well, but could not clean up")?;

    screen.say(&report);
    ensure!(report.is_clean() && report.found() == 0, "the two stores differ");
    Ok(())
}

/// Ctrl-C, SIGTERM, or a terminal that is closed.
async fn told_to_stop() -> std::io::Result<&'static str> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
        tokio::select! {
            interrupt = tokio::signal::ctrl_c() => interrupt.map(|()| "ctrl-C"),
            _ = terminate.recv() => Ok("SIGTERM"),
            _ = hang_up.recv() => Ok("SIGHUP"),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.map(|()| "ctrl-C")
}
