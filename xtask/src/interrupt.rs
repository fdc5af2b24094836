//! Ctrl-C.
//!
//! The terminal sends it to every process in the foreground. A child process ends by it; this process waits for the
//! child, and then stops the servers that it was using, in that order.

use anyhow::{Context, Result, ensure};
use std::sync::{
    Mutex, PoisonError,
    mpsc::{Receiver, channel},
};

static INTERRUPTS: Mutex<Option<Receiver<()>>> = Mutex::new(None);

/// After this call ctrl-C does not end this process.
pub(crate) fn outlive_children() -> Result<()> {
    let (interrupt, interrupts) = channel();
    ctrlc::set_handler(move || {
        // Sending fails only when the process is about to end anyway.
        let _ = interrupt.send(());
    })
    .context("could not handle ctrl-C")?;
    *INTERRUPTS.lock().unwrap_or_else(PoisonError::into_inner) = Some(interrupts);
    Ok(())
}

/// Fails if ctrl-C was pressed: for use between two steps.
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
