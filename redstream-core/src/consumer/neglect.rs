//! The watch for a delayer or a trimmer that no host runs: the stream works without, until a crash loses a change, or memory is full.

use std::time::{Duration, Instant};

use tokio_util::task::AbortOnDropHandle;
use tracing::instrument::WithSubscriber;

use super::Consumer;
use crate::pulse::{Neglected, Pulse};
use crate::registry::Member;
use crate::session::Session;
use crate::{Result, delayer, scripts};

/// The longest time from one look to the next.
const LOOK: Duration = Duration::from_secs(30);

/// What lasts is told again after this long.
const AGAIN: Duration = Duration::from_secs(3600);

/// Assumed where no delayer ever published its delay.
const USUAL_DELAY: Duration = Duration::from_secs(300);

impl Consumer {
    /// Looks for as long as this consumer holds its lock; dropping what is returned ends that.
    pub(super) fn watch_neighbours(&self, session: &Session, member: &Member) -> AbortOnDropHandle<()> {
        let keys = self.redstream.keys();
        let mut script = scripts::NEGLECT.prepare_invoke();
        script.key(&member.stream).key(keys.delay_stream(&self.stream)).key(keys.registry(&self.stream.delayed()));
        script.key(keys.trimmer_lock(&self.stream)).key(&member.offset).arg(crate::lock::millis(USUAL_DELAY));
        let mut watch = Watch {
            stream: self.stream.clone(),
            after: self.warn_neglect,
            script,
            session: session.clone(),
            pulse: self.pulse.clone(),
            seen: Vec::new(),
            told: None,
        };
        let looks = async move {
            // A session that breaks ends the consumer's work, and this with it.
            while watch.look().await.is_ok() {}
        };
        AbortOnDropHandle::new(session.keeper().spawn(looks.with_current_subscriber()))
    }
}

struct Watch {
    stream: crate::StreamName,
    after: Duration,
    script: redis::ScriptInvocation<'static>,
    session: Session,
    pulse: Pulse,
    /// What the last look found: only what lasts from one look to the next counts.
    seen: Vec<Neglected>,
    /// When it was told, and what.
    told: Option<(Instant, Vec<Neglected>)>,
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
        self.pulse.neglects(lasting.clone());
        self.tell(lasting);
        Ok(())
    }

    fn tell(&mut self, lasting: Vec<Neglected>) {
        if lasting.is_empty() {
            if self.told.take().is_some() {
                tracing::info!(stream = %self.stream, "the stream has its delayer and its trimmer again");
            }
            return;
        }
        let now = Instant::now();
        let recent = self.told.as_ref().filter(|(at, _)| now - *at < AGAIN);
        let is_known = |one: &Neglected| recent.is_some_and(|(_, told)| told.iter().any(|before| before.is_alike(one)));
        let new: Vec<&Neglected> = lasting.iter().filter(|one| !is_known(one)).collect();
        if new.is_empty() {
            return;
        }
        for one in new {
            match one {
                Neglected::Delayer { stream, overdue } => tracing::warn!(
                    %stream, ?overdue,
                    "delay messages are overdue: does any host run a delayer of this stream? Without one, a change whose main message \
                     was lost never comes; run `stream.{}(…)`",
                    delayer::NAME
                ),
                Neglected::Trimmer { stream, oldest } => tracing::warn!(
                    %stream, age = ?oldest,
                    "no trimmer is at work, and messages that were committed stay: does any host run a trimmer of this stream? Without \
                     one, Redis fills up; run `stream.trimmer()`"
                ),
            }
        }
        self.told = Some((now, lasting));
    }
}
