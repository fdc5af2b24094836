//! `redstream`: looks at the streams of an application, and operates them.

mod arguments;
mod connect;
mod consent;
mod dead;
mod doctor;
mod operate;
mod output;
mod reindex;
mod start;
mod status;
mod tail;
mod top;
mod web;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser};

use self::arguments::{Arguments, Command};
use self::connect::{Usage, connect};
use self::output::Output;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    /// There are problems, or what was asked for did not happen.
    No,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match run(&Arguments::parse()).await {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) if is_of_a_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redstream: {error:#}");
            ExitCode::from(if error.is::<Usage>() { 2 } else { 3 })
        }
    }
}

async fn run(arguments: &Arguments) -> Result<Answer> {
    let output = Output { is_json: arguments.json };
    match &arguments.command {
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Arguments::command(), "redstream", &mut std::io::stdout());
            return Ok(Answer::Yes);
        }
        Command::Man => {
            clap_mangen::Man::new(Arguments::command()).render(&mut std::io::stdout())?;
            return Ok(Answer::Yes);
        }
        _ => {}
    }
    let redstream = connect(&arguments.place).await?;
    match &arguments.command {
        Command::Status { streams } => status::status(&redstream, streams, output).await,
        Command::Top { every } => top::top(&redstream, *every).await,
        Command::Web { listen, allow_actions, host } => web::web(redstream, *listen, *allow_actions, host).await,
        Command::Doctor => doctor::doctor(&redstream, output).await,
        Command::Tail(tail) => tail::tail(&redstream, tail, output).await,
        Command::Dead(dead) => dead::dead(&redstream, dead, output).await,
        Command::Pause { consumer, within } => operate::pause(&redstream, consumer, *within, output).await,
        Command::Resume { consumer } => operate::resume(&redstream, consumer, output).await,
        Command::Rewind { consumer, to, consent } => {
            operate::rewind(&redstream, consumer, (*to).into(), *consent, output).await
        }
        Command::Forget { consumer, consent } => operate::forget(&redstream, consumer, *consent, output).await,
        Command::Trim { stream } => operate::trim(&redstream, stream, output).await,
        Command::Reindex(reindex) => reindex::reindex(&redstream, reindex, output).await,
        Command::Completions { .. } | Command::Man => Ok(Answer::Yes),
    }
}

/// `redstream tail | head` ends when `head` does.
fn is_of_a_closed_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
