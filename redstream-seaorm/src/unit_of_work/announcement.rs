//! Whether a commit, its caller, or neither waits for the announcements.

use std::sync::{Mutex, MutexGuard, PoisonError};

use redstream_core::SyncToken;
use tokio::task::JoinHandle;

/// Whether a commit waits until its main messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announcement {
    Awaited,
    Follows,
}

/// Announcements that a commit passes to a task, for callers that have other work before they need them to be written.
#[derive(Debug, Default)]
pub(crate) struct DeferredAnnouncement(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    /// The commit waits itself.
    #[default]
    Unwanted,
    Wanted,
    UnderWay(JoinHandle<SyncToken>),
}

impl DeferredAnnouncement {
    /// The commit does not wait for them; [`written`](Self::written) does.
    pub(crate) fn want(&self) {
        *self.state() = State::Wanted;
    }

    /// Takes them if they are wanted; otherwise returns them.
    pub(crate) fn take<F>(&self, announcing: F) -> Result<(), F>
    where
        F: Future<Output = SyncToken> + Send + 'static,
    {
        let mut state = self.state();
        if matches!(*state, State::Unwanted) {
            return Err(announcing);
        }
        *state = State::UnderWay(tokio::spawn(announcing));
        Ok(())
    }

    /// Waits until they are written, as far as they can be. If the runtime ends first, the delay messages announce the
    /// changes.
    pub(crate) async fn written(&self) {
        let state = std::mem::take(&mut *self.state());
        if let State::UnderWay(task) = state {
            let _ = task.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
