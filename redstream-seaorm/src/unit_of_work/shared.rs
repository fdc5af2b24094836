//! State that a connection and all its transactions share: the producer, the settings, and what is known of other
//! parties.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use redstream_core::{MessageId, NewMessage, Producer, StreamName, SyncToken, metrics};

use crate::error::Error;
use crate::guard::permits::Permits;
use crate::guard::{BypassGuard, Guard};
use crate::outbox::commits::Commits;
use crate::unit_of_work::hook_calls::Calls;
use crate::unit_of_work::insurance::{Insurance, Outage};
use crate::unit_of_work::stream_watch::StreamWatch;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) producer: Producer,
    pub(crate) settings: Settings,
    pub(crate) guard: Guard,
    /// For statements outside a transaction.
    pub(crate) permits: Arc<Permits>,
    pub(crate) calls: Arc<Calls>,
    pub(crate) outage: Arc<Outage>,
    pub(crate) commits: Arc<Commits>,
    pub(crate) streams: Arc<StreamWatch>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// `None`: derived from the delay of the streams' delayers.
    pub(crate) resend_after: Option<Duration>,
    pub(crate) insurance: Insurance,
    pub(crate) outbox_after: Duration,
    pub(crate) guard: BypassGuard,
    pub(crate) removes_delay_messages: bool,
    /// A commit does not wait for its main messages.
    pub(crate) in_background: bool,
    /// The wrapped connection is itself streamed, and must know which statements this one permits.
    pub(crate) nested: bool,
    pub(crate) warn_forgotten: Duration,
}

impl Shared {
    pub(crate) fn new(producer: Producer, settings: Settings) -> Self {
        Self {
            producer,
            settings,
            guard: Guard::new(settings.guard),
            permits: Arc::default(),
            calls: Arc::default(),
            outage: Arc::default(),
            commits: Arc::default(),
            streams: Arc::default(),
        }
    }

    /// The same connection with other settings: all other state is shared.
    pub(crate) fn with_settings(&self, settings: Settings) -> Self {
        Self {
            producer: self.producer.clone(),
            settings,
            guard: self.guard.with_mode(settings.guard),
            permits: self.permits.clone(),
            calls: self.calls.clone(),
            outage: self.outage.clone(),
            commits: self.commits.clone(),
            streams: self.streams.clone(),
        }
    }

    /// Whether main messages may have to remove delay messages, whose ids must then be kept.
    pub(crate) fn may_remove_delays(&self) -> bool {
        self.settings.removes_delay_messages || self.streams.any_skips_repeats()
    }

    /// How old a transaction may be before its commit sends its delay messages again, and waits for them.
    pub(crate) fn resend_after(&self) -> Duration {
        self.settings.resend_after.unwrap_or_else(|| self.streams.resend_after())
    }

    /// Whether a transaction that begins to write should send its delay messages to Redis.
    pub(crate) fn may_ask_redis(&self) -> bool {
        match self.settings.insurance {
            Insurance::Redis => true,
            Insurance::Outbox => false,
            Insurance::RedisElseOutbox => self.outage.may_ask(),
        }
    }

    /// Writes delay messages and waits for Redis to acknowledge them.
    pub(crate) async fn insure(self: &Arc<Self>, messages: &[NewMessage]) -> Result<Vec<MessageId>, Error> {
        self.streams.watch(&self.producer, &self.settings, messages);
        self.producer.delay_all(messages).await.map_err(|error| Error::NotInsured(Arc::new(error)))
    }

    /// Writes main messages. Their rows are committed, so a failure fails no caller: the delay messages announce them.
    ///
    /// `uninsured`: the delay messages may have become due before the commit, so a failure is retried in the background
    /// until it succeeds.
    pub(crate) async fn announce(self: &Arc<Self>, messages: Vec<NewMessage>, uninsured: bool) -> SyncToken {
        if messages.is_empty() {
            return SyncToken::new();
        }
        let added = self.producer.queue_all(&messages).await;
        self.announced(messages, added, uninsured)
    }

    /// The same, without waiting: the messages are sent, from the calling thread if possible. If the runtime ends
    /// before they are acknowledged, the delay messages announce the change.
    pub(crate) fn announce_in_background(self: &Arc<Self>, messages: Vec<NewMessage>) {
        if messages.is_empty() {
            return;
        }
        let shared = Arc::clone(self);
        self.producer.queue_in_background(messages, move |messages, added| {
            let _token = shared.announced(messages, added, false);
        });
    }

    /// [`announce`](Self::announce), and removes the delay messages with these ids, if the connection or the consumers
    /// want it.
    pub(crate) async fn announce_and_remove_delays(
        self: &Arc<Self>,
        messages: Vec<NewMessage>,
        mut insured: HashMap<NewMessage, Vec<MessageId>>,
        uninsured: bool,
    ) -> SyncToken {
        let (messages, others): (Vec<_>, Vec<_>) = messages
            .into_iter()
            .partition(|message| self.settings.removes_delay_messages || self.streams.skips_repeats(&message.stream));
        let mut token = self.announce(others, uninsured).await;
        if messages.is_empty() {
            return token;
        }
        let with_ids = |message: NewMessage| {
            let ids = insured.remove(&message).unwrap_or_default();
            (message, ids)
        };
        let messages: Vec<_> = messages.into_iter().map(with_ids).collect();
        let added = if self.settings.removes_delay_messages {
            Box::pin(self.producer.announce_and_remove_delays(&messages)).await
        } else {
            Box::pin(self.producer.announce_as_wanted(&messages)).await
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

    /// Called when rows of the outbox are committed: a relay announces them.
    pub(crate) fn leave_to_relays(&self, messages: &[NewMessage]) -> SyncToken {
        self.commits.committed(self.settings.warn_forgotten);
        without_ids(messages)
    }
}

/// For writes whose main messages are not known to be there: a caller that waits for them queues them again.
fn without_ids(messages: &[NewMessage]) -> SyncToken {
    let mut token = SyncToken::new();
    for message in messages {
        token.add(message.clone(), None);
    }
    token
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
