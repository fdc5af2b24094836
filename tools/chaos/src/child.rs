//! A process of a schedule: this same program, with a job on its standard input.

use anyhow::Result;
use redstream_processes::job_and_lines;
use tracing_subscriber::EnvFilter;

use crate::calm::{CALM, calm_down};
use crate::item::with_entity;
use crate::search::operator;
use crate::words::{Job, Role, Word, say};
use crate::workers::{self, WANTED_PANIC};
use crate::{relay, trap, writer};

/// The main function of a process: until its standard input ends, its trap is triggered, or its work is done.
pub(crate) fn live() -> Result<()> {
    // If the harness is killed, a stopped process would remain.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let filter = EnvFilter::try_from_env("REDSTREAM_CHAOS_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let hear = |line: &str| {
        if line == CALM {
            calm_down();
        }
    };
    let (job, end) = job_and_lines(hear)?;
    let Job { role, site, life, trap, calm } = job;
    if calm {
        calm_down();
    }
    trap::set(trap);
    tell_panics();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match role {
            Role::Writer { number, seed, busy_ms, poison } => {
                let write = Box::pin(async {
                    with_entity!(site.keys, E => {
                        writer::Writer::<E>::new(number, life, seed, poison, &site).write(&site, busy_ms).await
                    })
                });
                let written = end.run_until_cancelled(write).await;
                written.transpose()?;
                say(&Word::Done);
                Ok(())
            }
            Role::Workers { seed, mood, late_ms } => {
                let late_ms = if life == 0 { late_ms } else { 0 };
                with_entity!(site.keys, E => workers::work::<E>(&site, seed ^ u64::from(life), mood, late_ms, end).await)
            }
            Role::Relay => relay::work(&site, end).await,
            Role::Operator => with_entity!(site.keys, E => operator::operate::<E>(&site, end).await),
        }
    })
}

/// Reports each unintended panic to the harness, of any thread or task, even if it was caught.
fn tell_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some(WANTED_PANIC) {
            say(&Word::Panicked(panic.to_string()));
        }
        usual(panic);
    }));
}
