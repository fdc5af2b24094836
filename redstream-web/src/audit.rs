//! The record of actions: in the log, for the application, and the latest on the page.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::error::bounded;
use crate::verb::Verb;

/// How many the page shows.
const SHOWN: usize = 20;

/// The longest target that is recorded as a whole, in bytes of JSON.
const LONGEST_TARGET: usize = 1000;

/// An action that was performed, failed or was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// When it ended, by the clock of this process; in JSON `at`, in milliseconds since 1970.
    #[serde(serialize_with = "millis")]
    pub at: SystemTime,
    /// The user, as the application named it; `None` if the action was refused.
    pub user: Option<String>,
    /// What was to be done.
    pub verb: Verb,
    /// The body of the request, as JSON of at most 1,000 bytes: the stream, the consumer, the letters. Empty if the
    /// request was refused, since its body is not read then.
    pub target: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "text")]
#[non_exhaustive]
pub enum Outcome {
    /// It was performed: the answer, as JSON.
    Done(String),
    /// It was allowed, and failed: the error with its causes.
    Failed(String),
    /// It was not allowed: the reason.
    Refused(String),
}

type Callback = Arc<dyn Fn(&AuditEntry) + Send + Sync>;

/// Passes entries on, and keeps the latest.
#[derive(Default)]
pub(crate) struct Audit {
    pub(crate) on_action: Option<Callback>,
    latest: Mutex<VecDeque<AuditEntry>>,
}

impl Audit {
    pub(crate) fn record(&self, verb: Verb, user: Option<String>, target: &Value, outcome: Outcome) {
        let target = if target.is_null() { String::new() } else { bounded(target.to_string(), LONGEST_TARGET) };
        let entry = AuditEntry { at: SystemTime::now(), user, verb, target, outcome };
        let (user, target) = (entry.user.as_deref().unwrap_or_default(), &*entry.target);
        match &entry.outcome {
            Outcome::Done(answer) => {
                tracing::info!(target: "redstream_web::audit", %verb, user, target, answer, "an action was performed");
            }
            Outcome::Failed(error) => {
                tracing::warn!(target: "redstream_web::audit", %verb, user, target, error, "an action failed");
            }
            Outcome::Refused(reason) => {
                tracing::warn!(target: "redstream_web::audit", %verb, reason, "an action was refused");
            }
        }
        if let Some(on_action) = &self.on_action {
            on_action(&entry);
        }
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.truncate(SHOWN - 1);
        latest.push_front(entry);
    }

    /// The latest first.
    pub(crate) fn latest(&self) -> Vec<AuditEntry> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").finish_non_exhaustive()
    }
}

pub(crate) fn millis<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis().serialize(serializer)
}
