//! What the background task of all viewers found last.

use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The latest snapshot, as JSON; `None` until the first look has ended.
pub(crate) type Latest = watch::Receiver<Option<Arc<str>>>;

/// The background task, and what it found.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) latest: watch::Sender<Option<Arc<str>>>,
    pub(crate) task: Mutex<Option<JoinHandle<()>>>,
}

impl Default for Look {
    fn default() -> Self {
        Self { latest: watch::Sender::new(None), task: Mutex::default() }
    }
}
