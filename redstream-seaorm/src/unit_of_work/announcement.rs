//! Who waits for the announcements of a commit: the commit, a caller that has more to do first, or none.

use std::sync::{Mutex, MutexGuard, PoisonError};

use redstream_core::SyncToken;
use tokio::task::JoinHandle;

/// Whether a commit waits until its main messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announcement {
    Awaited,
    Follows,
}

/// Announcements that a commit leaves to a task, for callers that have more to do before they need to know that they are written.
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
    /// The commit is not to wait for them: [`written`](Self::written) does.
    pub(crate) fn want(&self) {
        *self.state() = State::Wanted;
    }

    /// Takes them, where they are wanted; else gives them back.
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

    /// Waits until they are written, as far as they can be. Should the runtime end first, the delay messages bring the changes.
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
