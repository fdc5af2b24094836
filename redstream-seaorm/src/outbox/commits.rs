//! What the relays of a program know of its commits, and the commits of its relays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Commits of one connection that wrote rows of the outbox.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    /// Wakes the relays.
    notify: Notify,
    /// Whether a relay was made.
    has_relay: AtomicBool,
    /// Whether rows were committed.
    needs_relay: AtomicBool,
}

impl Commits {
    pub(crate) fn relay_made(&self) {
        self.has_relay.store(true, Relaxed);
    }

    /// Completes with the next commit.
    pub(crate) fn notified(&self) -> Notified<'_> {
        self.notify.notified()
    }

    /// Called when rows were committed. If this program has made no relay when `warn_after` has passed, it warns once.
    pub(crate) fn committed(self: &Arc<Self>, warn_after: Duration) {
        self.notify.notify_waiters();
        if !self.needs_relay.swap(true, Relaxed) {
            tokio::spawn(warn_without_relay(self.clone(), warn_after));
        }
    }
}

async fn warn_without_relay(commits: Arc<Commits>, after: Duration) {
    tokio::time::sleep(after).await;
    if !commits.has_relay.load(Relaxed) {
        tracing::warn!(
            "changes were committed to the table `redstream_outbox`, and this program has made no relay: unless another one runs a \
             relay, they stay there; add `db.relay()` to the workers"
        );
    }
}
