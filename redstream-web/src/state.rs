//! What all requests to one dashboard share.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use redstream_core::{CancellationToken, Health, Redstream};
use tokio::sync::Semaphore;

use crate::audit::Audit;
use crate::latest::Look;
use crate::task::Task;
use crate::verb::Verb;

type Permission = dyn Fn(&Parts, Verb) -> Option<String> + Send + Sync;

pub(crate) struct State {
    pub(crate) redstream: Redstream,
    pub(crate) health: Option<Health>,
    pub(crate) permission: Option<Box<Permission>>,
    pub(crate) audit: Audit,
    pub(crate) tasks: Vec<Task>,
    pub(crate) look: Look,
    /// The shortest time between two looks.
    pub(crate) every: Duration,
    /// One permit for each open stream of events.
    pub(crate) viewers: Arc<Semaphore>,
    /// Ends the streams of events.
    pub(crate) shutdown: CancellationToken,
    /// The names under which the dashboard may be reached; `None` for all.
    pub(crate) hosts: Option<BTreeSet<String>>,
}

impl State {
    /// The name of the user if this request may do this.
    pub(crate) fn user(&self, parts: &Parts, verb: Verb) -> Option<String> {
        self.permission.as_ref().and_then(|permission| permission(parts, verb))
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("redstream", &self.redstream).finish_non_exhaustive()
    }
}
