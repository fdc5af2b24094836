//! Ctrl-C.
//!
//! The terminal sends it to every process in the foreground. Whatever runs as our child ends by
//! it; we wait for the child, and then stop the servers that it was using, in that order.

use anyhow::{Context, Result, ensure};
use std::sync::{
    Mutex, PoisonError,
    mpsc::{Receiver, channel},
};

static INTERRUPTS: Mutex<Option<Receiver<()>>> = Mutex::new(None);

/// From now on ctrl-C does not end this process.
pub(crate) fn outlive_children() -> Result<()> {
    let (interrupt, interrupts) = channel();
    ctrlc::set_handler(move || {
        // Nobody listens any more only when the process is about to end anyway.
        let _ = interrupt.send(());
    })
    .context("could not handle ctrl-C")?;
    *INTERRUPTS.lock().unwrap_or_else(PoisonError::into_inner) = Some(interrupts);
    Ok(())
}

/// Fails if ctrl-C was pressed: for between two steps.
pub(crate) fn check() -> Result<()> {
    ensure!(!with(|interrupts| interrupts.try_recv().is_ok()), "interrupted");
    Ok(())
}

/// Waits for ctrl-C.
pub(crate) fn wait() {
    with(|interrupts| interrupts.recv().is_ok());
}

fn with(ask: impl FnOnce(&Receiver<()>) -> bool) -> bool {
    let interrupts = INTERRUPTS.lock().unwrap_or_else(PoisonError::into_inner);
    interrupts.as_ref().is_some_and(ask)
}
