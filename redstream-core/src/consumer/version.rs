//! Versions: numbers that order what a consumer writes, over failovers and clock steps.
//!
//! The greatest of the clock of Redis in microseconds, the stored version plus one, and the last version that this
//! process has seen plus one: so it grows even if the clock steps back or a failover lost the stored one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::time::millis;
use crate::transport::scripts;
use crate::worker::lock::Ownership;
use crate::worker::member::ConsumerKeys;

/// The highest version that this process has seen for one consumer; shared by its sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Highest(Arc<AtomicU64>);

impl Highest {
    /// What the next version must reach at least.
    pub(crate) fn floor(&self) -> u64 {
        self.0.load(Ordering::SeqCst) + 1
    }

    pub(crate) fn saw(&self, version: u64) {
        self.0.fetch_max(version, Ordering::SeqCst);
    }
}

/// Issues versions to the owner of a consumer's lock.
#[derive(Clone)]
pub(crate) struct Versions {
    ownership: Arc<Ownership>,
    member: Arc<ConsumerKeys>,
    highest: Highest,
}

impl Versions {
    pub(crate) fn new(ownership: Arc<Ownership>, member: Arc<ConsumerKeys>, highest: Highest) -> Self {
        Self { ownership, member, highest }
    }

    pub(crate) fn ownership(&self) -> &Arc<Ownership> {
        &self.ownership
    }

    pub(crate) fn member(&self) -> &ConsumerKeys {
        &self.member
    }

    /// Above `version`, which another process may have issued.
    pub(crate) async fn issue_above(&self, version: u64) -> Result<u64> {
        self.highest.saw(version);
        self.issue().await
    }

    pub(crate) async fn issue(&self) -> Result<u64> {
        const ATTEMPT: &str = "issue a version";
        let Ownership { keys, session, token, ttl, .. } = &*self.ownership;
        let mut script = scripts::TOUCH.prepare_invoke();
        script.key(&keys.lock).key(&self.member.registry).key(&self.member.version);
        script.arg(token).arg(millis(*ttl)).arg(&self.member.name).arg(self.highest.floor());
        let reply: Vec<String> = session.script(ATTEMPT, &script).await?;
        let unexpected = || Error::UnexpectedReply { attempt: ATTEMPT.to_owned(), reply: reply.join(" ") };
        match reply.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["touched", version] => {
                failpoint!("consumer: version issued");
                let version = version.parse().map_err(|_| unexpected())?;
                self.highest.saw(version);
                Ok(version)
            }
            [refusal] => Err(self.ownership.refused(ATTEMPT, refusal)),
            _ => Err(unexpected()),
        }
    }
}
