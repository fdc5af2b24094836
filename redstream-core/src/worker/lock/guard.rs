//! Ownership of a lock: proven by its token, kept by renewal, ended by release.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::instrument::WithSubscriber;

use super::work::Work;
use super::{Found, Lock, LockKeys};
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::metrics;
use crate::time::millis;
use crate::transport::scripts;
use crate::transport::session::Session;
use crate::transport::shared::SharedConnection;

/// A lock that is held here. Renewed in the background at a third of its TTL until it is released,
/// dropped or lost.
///
/// [`release`](Self::release) hands it over to a standby at once. Dropping it does the same in the background if there
/// is a runtime; otherwise the lock expires by its TTL.
pub struct LockGuard {
    ownership: Arc<Ownership>,
    found: Found,
    released: AtomicBool,
    _renewal: AbortOnDropHandle<()>,
}

/// The state needed to act as the owner; shared with the renewal and with open batches.
pub(crate) struct Ownership {
    pub(crate) keys: Arc<LockKeys>,
    pub(crate) session: Session,
    pub(crate) token: String,
    pub(crate) ttl: Duration,
    /// The current call of the owner's handler.
    pub(crate) work: Work,
    link: SharedConnection,
    lost: CancellationToken,
    reason: OnceLock<LockLossReason>,
}

/// Why a lock is no longer held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockLossReason {
    /// It expired, or was taken away.
    Lost,
    Forgotten,
    Paused,
    /// The session broke, so that this process does not know.
    Unknown,
}

impl LockGuard {
    pub(super) fn new(lock: &Lock, session: Session, token: String, found: Found) -> Self {
        let ownership = Arc::new(Ownership {
            keys: lock.keys.clone(),
            session,
            token,
            ttl: lock.ttl,
            work: Work::default(),
            link: lock.redstream.link().clone(),
            lost: CancellationToken::new(),
            reason: OnceLock::new(),
        });
        // On a thread of its own: a handler may block the thread that this runs on.
        let renewal = ownership.session.keeper().spawn(renew(ownership.clone()).with_current_subscriber());
        let renewal = AbortOnDropHandle::new(renewal);
        Self { ownership, found, released: AtomicBool::new(false), _renewal: renewal }
    }

    /// Resolves when the lock is lost: it expired, was taken away, or the connection that renews it broke.
    pub async fn lost(&self) {
        self.ownership.lost.cancelled().await;
    }

    /// Whether it is known to be lost.
    pub fn is_lost(&self) -> bool {
        self.ownership.lost.is_cancelled()
    }

    /// The consumer's place when the lock was taken.
    pub(crate) fn found(&self) -> &Found {
        &self.found
    }

    pub(crate) fn ownership(&self) -> &Arc<Ownership> {
        &self.ownership
    }

    /// Releases the lock and wakes one standby, at once.
    ///
    /// # Errors
    ///
    /// If Redis does not answer within the bound: then the lock expires by its TTL.
    pub async fn release(self) -> Result<()> {
        self.released.store(true, Ordering::Relaxed);
        self.ownership.release().await
    }
}

/// A worker that panics still releases its lock at once.
impl Drop for LockGuard {
    fn drop(&mut self) {
        if self.released.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let ownership = self.ownership.clone();
            runtime.spawn(async move {
                if let Err(error) = ownership.release().await {
                    tracing::debug!(
                        lock = ownership.keys.lock,
                        error = &error as &dyn std::error::Error,
                        "lock not released: its TTL frees it"
                    );
                }
            });
        }
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard")
            .field("lock", &self.ownership.keys.lock)
            .field("lost", &self.is_lost())
            .finish_non_exhaustive()
    }
}

impl Ownership {
    /// Owner-checked, so harmless if another process owns the lock by now. On the shared connection: the
    /// session may be what broke.
    async fn release(&self) -> Result<()> {
        failpoint!("lock: releasing");
        let mut script = scripts::RELEASE.prepare_invoke();
        script.key(&self.keys.lock).key(&self.keys.notify).arg(&self.token).arg(millis(self.ttl));
        if let Some(member) = &self.keys.member {
            script.key(&member.registry).arg(&member.name);
        }
        let _released: u8 = self.link.script("release a lock", &script).await?;
        Ok(())
    }

    /// Reads the code with which a script refuses an owner; stores it and signals the loss.
    pub(crate) fn refused(&self, attempt: &str, word: &str) -> Error {
        let reason = match word {
            "lost" => LockLossReason::Lost,
            "forgotten" => LockLossReason::Forgotten,
            "paused" => LockLossReason::Paused,
            other => {
                let reply = other.chars().take(64).collect();
                return Error::UnexpectedReply { attempt: attempt.to_owned(), reply };
            }
        };
        self.give_up(reason);
        self.error(reason)
    }

    fn give_up(&self, reason: LockLossReason) {
        if self.reason.set(reason).is_ok() {
            ::metrics::counter!(metrics::LOCKS_LOST, "lock" => self.keys.lock.clone()).increment(1);
            self.lost.cancel();
        }
    }

    /// Why it is lost, as an error; without a known reason, the plain loss.
    pub(crate) fn loss(&self) -> Error {
        self.error(self.reason.get().copied().unwrap_or(LockLossReason::Lost))
    }

    fn error(&self, reason: LockLossReason) -> Error {
        match (reason, &self.keys.member) {
            (LockLossReason::Forgotten, Some(member)) => {
                Error::Forgotten { stream: member.stream_name.clone(), consumer: member.name.clone() }
            }
            (LockLossReason::Paused, Some(member)) => {
                Error::Paused { stream: member.stream_name.clone(), consumer: member.name.clone() }
            }
            (LockLossReason::Unknown, _) => {
                let broke =
                    "the connection that renews it broke: its TTL frees it, unless this worker takes it again before";
                let source = std::io::Error::new(std::io::ErrorKind::ConnectionReset, broke).into();
                Error::Redis { attempt: format!("keep the lock {}", self.keys.lock), source }
            }
            _ => Error::LockLost { lock: self.keys.lock.clone() },
        }
    }
}

async fn renew(ownership: Arc<Ownership>) {
    loop {
        tokio::time::sleep(ownership.ttl / 3).await;
        ownership.work.look(ownership.keys.member.as_ref());
        if ownership.work.is_stuck(ownership.ttl) {
            tracing::error!(
                lock = ownership.keys.lock,
                "the handler has outlasted its handler_timeout and blocks its thread: its lock is given up, and another host takes over \
                 when the TTL has passed"
            );
            return ownership.give_up(LockLossReason::Lost);
        }
        failpoint!("lock: renewing");
        let mut script = scripts::RENEW.prepare_invoke();
        script.key(&ownership.keys.lock);
        script.arg(&ownership.token).arg(millis(ownership.ttl));
        if let Some(member) = &ownership.keys.member {
            script.key(&member.registry).arg(&member.name);
        }
        match ownership.session.script::<String>("renew a lock", &script).await {
            Ok(word) if word == "renewed" => {}
            Ok(word) => {
                let error = ownership.refused("renew a lock", &word);
                tracing::warn!(
                    lock = ownership.keys.lock,
                    error = &error as &dyn std::error::Error,
                    "lock lost: the batch at work is not committed"
                );
                return;
            }
            Err(error) => {
                // The worker reports the failure of its session, together with all others of its process.
                tracing::debug!(
                    lock = ownership.keys.lock,
                    error = &error as &dyn std::error::Error,
                    "lock not renewed: the session is given up"
                );
                ownership.give_up(LockLossReason::Unknown);
                return;
            }
        }
    }
}
