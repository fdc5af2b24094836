//! Detects that no host runs a delayer or a trimmer: the stream works without them, until a crash loses a change, or
//! memory is full.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;
use tracing::instrument::WithSubscriber;

use super::{Consumer, Told};
use crate::error::Result;
use crate::message::StreamName;
use crate::time::millis;
use crate::transport::scripts;
use crate::transport::session::Session;
use crate::worker::member::ConsumerKeys;
use crate::worker::{Neglected, WorkerStatus};

/// The longest time between two checks.
const LOOK: Duration = Duration::from_secs(30);

/// A lasting condition is reported again after this time.
const AGAIN: Duration = Duration::from_secs(3600);

/// Assumed if no delayer ever published its delay.
const USUAL_DELAY: Duration = Duration::from_secs(300);

impl Consumer {
    /// Checks for as long as this consumer holds its lock; dropping the returned guard ends that.
    pub(super) fn watch_neighbours(&self, session: &Session, member: &ConsumerKeys) -> AbortOnDropHandle<()> {
        let keys = self.redstream.keys();
        let mut script = scripts::NEGLECT.prepare_invoke();
        script.key(&member.stream).key(keys.delay_stream(&self.stream)).key(keys.registry(&self.stream.delayed()));
        script.key(keys.trimmer_lock(&self.stream)).key(&member.offset).arg(millis(USUAL_DELAY));
        let mut watch = Watch {
            stream: self.stream.clone(),
            after: self.warn_neglect,
            script,
            session: session.clone(),
            status: self.status.clone(),
            seen: Vec::new(),
            told: self.told.clone(),
        };
        let looks = async move {
            // A session that breaks ends the consumer's work, and this check with it.
            while watch.look().await.is_ok() {}
        };
        AbortOnDropHandle::new(session.keeper().spawn(looks.with_current_subscriber()))
    }
}

struct Watch {
    stream: StreamName,
    after: Duration,
    script: redis::ScriptInvocation<'static>,
    session: Session,
    status: WorkerStatus,
    /// The result of the last check: only what lasts from one check to the next is reported.
    seen: Vec<Neglected>,
    told: Told,
}

/// The next owner of the lock checks again.
impl Drop for Watch {
    fn drop(&mut self) {
        self.status.neglects(Vec::new());
    }
}

impl Watch {
    async fn look(&mut self) -> Result<()> {
        tokio::time::sleep(self.after.min(LOOK)).await;
        let (overdue, untrimmed): (i64, i64) = self.session.script("look after a stream", &self.script).await?;
        let lasts = |ms: i64| u64::try_from(ms).ok().map(Duration::from_millis).filter(|lasts| *lasts > self.after);
        let stream = || self.stream.clone();
        let found: Vec<Neglected> = [
            lasts(overdue).map(|overdue| Neglected::Delayer { stream: stream(), overdue }),
            lasts(untrimmed).map(|oldest| Neglected::Trimmer { stream: stream(), oldest }),
        ]
        .into_iter()
        .flatten()
        .collect();
        let lasting: Vec<Neglected> =
            found.iter().filter(|one| self.seen.iter().any(|before| before.is_alike(one))).cloned().collect();
        self.seen = found;
        self.tell(&lasting);
        self.status.neglects(lasting);
        Ok(())
    }

    fn tell(&self, lasting: &[Neglected]) {
        let (mut delayer, mut trimmer) = (false, false);
        for one in lasting {
            match one {
                Neglected::Delayer { stream, overdue } => {
                    delayer = true;
                    if self.told.delayer.is_due(AGAIN) {
                        tracing::warn!(
                            %stream, ?overdue,
                            "delay messages are overdue: does any host run a delayer of this stream? Without one, a change whose main \
                             message was lost never comes; run `stream.delayer(…)`"
                        );
                    }
                }
                Neglected::Trimmer { stream, oldest } => {
                    trimmer = true;
                    if self.told.trimmer.is_due(AGAIN) {
                        tracing::warn!(
                            %stream, age = ?oldest,
                            "no trimmer is at work, and messages that were committed stay: does any host run a trimmer of this stream? \
                             Without one, Redis fills up; run `stream.trimmer()`"
                        );
                    }
                }
            }
        }
        for (missed, told, worker) in
            [(delayer, &self.told.delayer, "delayer"), (trimmer, &self.told.trimmer, "trimmer")]
        {
            if !missed && self.status.neglected().iter().any(|one| one.is_of(worker)) && told.is_over() {
                tracing::info!(stream = %self.stream, worker, "the stream has this worker again");
            }
        }
    }
}
