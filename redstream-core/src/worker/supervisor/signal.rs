//! The signals by which a process is told to stop.

use std::io;

use crate::error::{Error, Result};

/// Completes when the process is told to stop, with the signal's name: SIGTERM, which Kubernetes, systemd and Docker
/// send, or SIGINT, which is ctrl-C; on Windows ctrl-C.
/// [`Supervisor::run_until_signal`](crate::Supervisor::run_until_signal) waits for it; for an application that stops
/// more than its workers, such as a web server.
///
/// Signals are caught from this call on, for as long as the process lives, so call it before the work begins.
///
/// # Errors
///
/// [`Error::Signal`] if the operating system does not let them be caught.
pub fn stop_signal() -> Result<impl Future<Output = &'static str> + Send + 'static> {
    caught().map_err(|source| Error::Signal { source })
}

#[cfg(unix)]
fn caught() -> io::Result<impl Future<Output = &'static str> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

#[cfg(not(unix))]
fn caught() -> io::Result<impl Future<Output = &'static str> + Send + 'static> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
        "ctrl-C"
    })
}
