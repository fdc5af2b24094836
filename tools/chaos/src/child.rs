//! A process of a schedule: this same program, told by its standard input what to be.

use std::io::BufRead as _;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use redstream_seaorm::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::item::with_entity;
use crate::words::{Job, Role, Word, say};
use crate::{relay, trap, workers, writer};

/// The line that disarms the trap.
pub(crate) const CALM: &str = "calm";

/// What a handler panics with that was told to panic.
pub(crate) const WANTED_PANIC: &str = "the handler panics, as it was told to";

static CALMED: AtomicBool = AtomicBool::new(false);

/// Whether the faults are over.
pub(crate) fn is_calm() -> bool {
    CALMED.load(Ordering::SeqCst)
}

/// A process's life: until its standard input ends, its trap springs, or it has nothing more to do.
pub(crate) fn live() -> Result<()> {
    // Should the harness be killed, a process that is stopped would stay for ever.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let filter = EnvFilter::try_from_env("REDSTREAM_CHAOS_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let Job { role, site, life, trap, calm } =
        serde_json::from_str(&line).context("standard input is no job: the harness alone starts such a process")?;
    CALMED.store(calm, Ordering::SeqCst);
    trap::set(trap);
    tell_panics();
    let end = end_of_input();
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
        }
    })
}

/// Has the harness told of each panic that nobody wanted, of whatever thread or task, and whoever caught it.
fn tell_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some(WANTED_PANIC) {
            say(&Word::Panicked(panic.to_string()));
        }
        usual(panic);
    }));
}

/// Cancelled when the harness closes standard input, or is dead.
fn end_of_input() -> CancellationToken {
    let end = CancellationToken::new();
    let ended = end.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            match line {
                Ok(line) if line == CALM => CALMED.store(true, Ordering::SeqCst),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        ended.cancel();
    });
    end
}
