//! What a connection and all its transactions share: the producer, the settings, and what is known of other parties.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redstream_core::{Message, MessageId, NewMessage, Producer, Stream, StreamName, SyncToken, metrics};

use crate::error::Error;
use crate::guard::permits::Permits;
use crate::guard::{BypassGuard, Guard};
use crate::outbox::commits::Commits;
use crate::unit_of_work::hook_calls::Calls;
use crate::unit_of_work::insurance::{Insurance, Outage};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) producer: Producer,
    pub(crate) settings: Settings,
    pub(crate) guard: Guard,
    /// For what runs outside a transaction.
    pub(crate) permits: Permits,
    pub(crate) calls: Calls,
    pub(crate) outage: Outage,
    pub(crate) commits: Arc<Commits>,
    /// When a stream's registry was last looked at: for the delay of its delayer, and for what its consumers pass over.
    compared: Mutex<HashMap<StreamName, Instant>>,
    warned: Mutex<HashSet<StreamName>>,
    /// Streams that are looked at for consumers, or were: those that are read, and those that were warned of.
    seen_to: Mutex<HashSet<StreamName>>,
    /// Streams of which some consumer passes over repeats, as last seen.
    skipped: Mutex<HashSet<StreamName>>,
    /// Whether there are any.
    any_skipped: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) resend_after: Duration,
    pub(crate) insurance: Insurance,
    pub(crate) outbox_after: Duration,
    pub(crate) guard: BypassGuard,
    pub(crate) settles: bool,
    /// A commit does not wait for its main messages.
    pub(crate) in_background: bool,
    /// The wrapped connection is streamed itself, and wants to know what this one answers for.
    pub(crate) nested: bool,
    pub(crate) warn_forgotten: Duration,
}

/// A delayer may come up, or be given another delay, at any time.
const COMPARE_AGAIN: Duration = Duration::from_secs(60);

impl Shared {
    pub(crate) fn new(producer: Producer, settings: Settings) -> Self {
        Self {
            producer,
            settings,
            guard: Guard::new(settings.guard),
            permits: Permits::default(),
            calls: Calls::default(),
            outage: Outage::default(),
            commits: Arc::default(),
            compared: Mutex::default(),
            warned: Mutex::default(),
            seen_to: Mutex::default(),
            skipped: Mutex::default(),
            any_skipped: AtomicBool::new(false),
        }
    }

    fn seen_to(&self) -> MutexGuard<'_, HashSet<StreamName>> {
        self.seen_to.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether main messages may have to settle delay messages, whose ids are then to be kept.
    pub(crate) fn may_settle(&self) -> bool {
        self.settings.settles || self.any_skipped.load(Relaxed)
    }

    fn is_skipped(&self, stream: &StreamName) -> bool {
        self.skipped.lock().unwrap_or_else(PoisonError::into_inner).contains(stream)
    }

    fn set_skipped(&self, stream: &StreamName, is_skipped: bool) {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        if is_skipped {
            skipped.insert(stream.clone());
        } else {
            skipped.remove(stream);
        }
        self.any_skipped.store(!skipped.is_empty(), Relaxed);
    }

    /// Whether a transaction that begins to write should hand its delay messages to Redis.
    pub(crate) fn may_ask_redis(&self) -> bool {
        match self.settings.insurance {
            Insurance::Redis => true,
            Insurance::Outbox => false,
            Insurance::RedisElseOutbox => self.outage.may_ask(),
        }
    }

    /// Writes delay messages and waits for Redis to acknowledge them.
    pub(crate) async fn insure(self: &Arc<Self>, messages: &[NewMessage]) -> Result<Vec<MessageId>, Error> {
        self.compare_delays(messages);
        self.producer.delay_all(messages).await.map_err(|error| Error::NotInsured(Arc::new(error)))
    }

    /// Writes main messages. Their rows are committed, so a failure fails nobody: the delay messages bring them.
    ///
    /// `uninsured`: the delay messages may have fallen due before the commit, so a failure is tried again until it
    /// succeeds, in the background.
    pub(crate) async fn announce(self: &Arc<Self>, messages: Vec<NewMessage>, uninsured: bool) -> SyncToken {
        if messages.is_empty() {
            return SyncToken::new();
        }
        let added = self.producer.queue_all(&messages).await;
        self.announced(messages, added, uninsured)
    }

    /// The same, and settles the delay messages with these ids, as far as the connection or the consumers want it.
    pub(crate) async fn settle(
        self: &Arc<Self>,
        messages: Vec<NewMessage>,
        mut insured: HashMap<NewMessage, Vec<MessageId>>,
        uninsured: bool,
    ) -> SyncToken {
        let (messages, others): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| self.settings.settles || self.is_skipped(&message.stream));
        let mut token = self.announce(others, uninsured).await;
        if messages.is_empty() {
            return token;
        }
        let with_ids = |message: NewMessage| {
            let ids = insured.remove(&message).unwrap_or_default();
            (message, ids)
        };
        let messages: Vec<_> = messages.into_iter().map(with_ids).collect();
        let added = if self.settings.settles {
            self.producer.settle(&messages).await
        } else {
            self.producer.settle_as_wanted(&messages).await
        };
        token.merge(self.announced(messages.into_iter().map(|(message, _)| message).collect(), added, uninsured));
        token
    }

    fn announced(
        &self,
        messages: Vec<NewMessage>,
        added: redstream_core::Result<Vec<MessageId>>,
        uninsured: bool,
    ) -> SyncToken {
        let error = match added {
            Ok(ids) => {
                let mut token = SyncToken::new();
                for (message, id) in messages.into_iter().zip(ids) {
                    token.add(message, Some(id));
                }
                return token;
            }
            Err(error) => error,
        };
        let streams: HashSet<&StreamName> = messages.iter().map(|message| &message.stream).collect();
        for stream in streams {
            let failed = messages.iter().filter(|message| message.stream == *stream).count();
            ::metrics::counter!(metrics::MAIN_FAILED, "stream" => stream.to_string()).increment(failed as u64);
            tracing::warn!(
                %stream, messages = failed, error = &error as &dyn std::error::Error, retried = uninsured,
                "main messages not written after the commit: the delay messages bring the change later"
            );
        }
        let token = without_ids(&messages);
        if uninsured {
            tokio::spawn(persist(self.producer.clone(), messages));
        }
        token
    }

    /// Rows of the outbox are committed: a relay brings them.
    pub(crate) fn leave_to_relays(&self, messages: &[NewMessage]) -> SyncToken {
        self.commits.committed(self.settings.warn_forgotten);
        without_ids(messages)
    }

    /// Warns, once a stream, of a delayer that would re-queue delay messages before a long transaction commits.
    pub(crate) fn compare_delays(self: &Arc<Self>, messages: &[NewMessage]) {
        let mut last = None;
        for NewMessage { stream, .. } in messages {
            // Neighbours are mostly of one stream.
            if last.replace(stream) == Some(stream) {
                continue;
            }
            let due = {
                let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
                let due = compared.get(stream).is_none_or(|last| last.elapsed() > COMPARE_AGAIN);
                if due {
                    compared.insert(stream.clone(), Instant::now());
                }
                due
            };
            if due {
                tokio::spawn(compare(self.clone(), stream.clone()));
            }
        }
    }
}

/// For writes whose main messages are not known to be there: whoever waits for them queues them again.
fn without_ids(messages: &[NewMessage]) -> SyncToken {
    let mut token = SyncToken::new();
    for message in messages {
        token.add(message.clone(), None);
    }
    token
}

async fn compare(context: Arc<Shared>, stream: StreamName) {
    // Not being able to look is no reason to worry anybody: it is only a warning that would be missed.
    let Ok(handle) = context.producer.redstream().stream(&stream) else { return };
    if let Ok(is_skipped) = handle.skips_repeats().await {
        context.set_skipped(&stream, is_skipped);
    }
    if context.seen_to().insert(stream.clone()) {
        tokio::spawn(miss_a_consumer(context.clone(), handle.clone()));
    }
    let Ok(Some(delay)) = handle.published_delay().await else { return };
    let resend_after = context.settings.resend_after;
    let needed = resend_after * 5;
    if delay < needed && context.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(stream.clone()) {
        tracing::warn!(
            %stream, ?delay, ?resend_after, ?needed,
            "the delayer's delay is too short for this connection: a message can fall due before a slow transaction \
             commits, and its change be missed if a crash follows; lengthen the delay or shorten resend_after"
        );
    }
}

/// Warns if no consumer is registered with a stream and what is written stays there. One look is under way for each stream, and one
/// that told nothing is followed by another.
async fn miss_a_consumer(context: Arc<Shared>, stream: Stream) {
    match is_unread(&stream, context.settings.warn_forgotten).await {
        Some(true) => tracing::warn!(
            stream = %stream.name(),
            "changes are written to this stream and no consumer is registered with it, so that its messages stay in Redis: run a consumer, a \
             delayer and a trimmer for it; if nothing follows this entity, take `Streamed` from it, or stream it for its parents alone \
             by `#[streamed(parents(…), parents_only)]`"
        ),
        Some(false) => {}
        None => _ = context.seen_to().remove(stream.name()),
    }
}

/// Whether a stream has no consumer and its oldest message stays from one look to the next, which is so much later; `None`: that cannot
/// be told.
async fn is_unread(stream: &Stream, later: Duration) -> Option<bool> {
    let mut oldest = None;
    for _ in 0..2 {
        if !stream.consumers().await.ok()?.is_empty() {
            return Some(false);
        }
        tokio::time::sleep(later).await;
        let first = stream.messages(MessageId::MIN, 1).await.ok()?.first().map(Message::id)?;
        // Consumers of the Ruby gem are registered nowhere; what they have read is trimmed.
        let is_still_there = oldest.replace(first) == Some(first);
        if is_still_there {
            return Some(stream.consumers().await.ok()?.is_empty());
        }
    }
    None
}

async fn persist(producer: Producer, messages: Vec<NewMessage>) {
    let mut pause = Duration::from_millis(100);
    loop {
        tokio::time::sleep(pause).await;
        if producer.queue_all(&messages).await.is_ok() {
            return;
        }
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}
