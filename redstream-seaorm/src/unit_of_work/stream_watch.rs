//! What a connection knows of the workers of the streams that it writes, read from their registries at intervals: the
//! delay of the delayer, whether consumers skip repeats, and whether there is a consumer at all.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redstream_core::{Message, MessageId, NewMessage, Producer, Stream, StreamName};

use crate::unit_of_work::shared::Settings;

/// How old a transaction may be before its commit sends its delay messages again, if no shorter delay is known.
const RESEND_AFTER: Duration = Duration::from_secs(60);

/// The delay must be at least this many times as long as a transaction that relies on its first delay messages.
const DELAYS_OF_RESEND: u32 = 5;

/// A delayer may start, or get another delay, at any time.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The interval as long as no delayer is known.
const LOOK_AGAIN_WITHOUT_DELAYER: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct StreamWatch {
    streams: Mutex<HashMap<StreamName, StreamState>>,
    /// Streams with a short delay, for which a warning was given.
    warned: Mutex<HashSet<StreamName>>,
    /// Streams that are being checked for consumers, that have some, or for which a warning was given.
    looked_for_consumers: Mutex<HashSet<StreamName>>,
    /// Whether consumers of any stream skip repeats.
    any_skips: AtomicBool,
    /// The shortest delay of these streams, in ms; 0: none is known. Each commit reads it.
    shortest_delay: AtomicU64,
}

/// What is known of one stream.
#[derive(Debug)]
struct StreamState {
    looked_at: Instant,
    skips_repeats: bool,
    delay: Option<Duration>,
}

impl StreamWatch {
    pub(crate) fn any_skips_repeats(&self) -> bool {
        self.any_skips.load(Relaxed)
    }

    pub(crate) fn skips_repeats(&self, stream: &StreamName) -> bool {
        self.streams().get(stream).is_some_and(|known| known.skips_repeats)
    }

    /// How old a transaction may be before its commit sends its delay messages again: a minute, or a fifth of the
    /// shortest delay that the delayers of these streams have published.
    pub(crate) fn resend_after(&self) -> Duration {
        match self.shortest_delay.load(Relaxed) {
            0 => RESEND_AFTER,
            delay => Ord::min(RESEND_AFTER, Duration::from_millis(delay) / DELAYS_OF_RESEND),
        }
    }

    /// Checks the streams of these messages in the background, each once a minute.
    pub(crate) fn watch(self: &Arc<Self>, producer: &Producer, settings: &Settings, messages: &[NewMessage]) {
        let mut last = None;
        for NewMessage { stream, .. } in messages {
            // Consecutive messages mostly have the same stream.
            if last.replace(stream) == Some(stream) {
                continue;
            }
            if let Some(resend_after) = settings.resend_after {
                self.warn_of_short_delay(stream, resend_after);
            }
            if !self.begin_look(stream) {
                continue;
            }
            let Ok(stream) = producer.redstream().stream(stream) else { continue };
            tokio::spawn(self.clone().look(stream, *settings));
        }
    }

    /// Whether a check of this stream is due; it counts as done from now on.
    fn begin_look(&self, stream: &StreamName) -> bool {
        let now = Instant::now();
        let mut streams = self.streams();
        let Some(known) = streams.get_mut(stream) else {
            streams.insert(stream.clone(), StreamState { looked_at: now, skips_repeats: false, delay: None });
            return true;
        };
        let again = if known.delay.is_some() { LOOK_AGAIN } else { LOOK_AGAIN_WITHOUT_DELAYER };
        let due = now.duration_since(known.looked_at) > again;
        if due {
            known.looked_at = now;
        }
        due
    }

    async fn look(self: Arc<Self>, stream: Stream, settings: Settings) {
        // A failed check keeps the known state; the next check follows.
        if let Ok(skips_repeats) = stream.skips_repeats().await {
            self.set_skips_repeats(stream.name(), skips_repeats);
        }
        if self.looked_for_consumers().insert(stream.name().clone()) {
            tokio::spawn(self.clone().look_for_consumers(stream.clone(), settings.warn_forgotten));
        }
        let Ok(Some(delay)) = stream.published_delay().await else { return };
        self.set_delay(stream.name(), delay);
        if let Some(resend_after) = settings.resend_after {
            self.warn_of_short_delay(stream.name(), resend_after);
        }
    }

    fn set_skips_repeats(&self, stream: &StreamName, skips_repeats: bool) {
        let mut streams = self.streams();
        if let Some(known) = streams.get_mut(stream) {
            known.skips_repeats = skips_repeats;
        }
        self.any_skips.store(streams.values().any(|known| known.skips_repeats), Relaxed);
    }

    fn set_delay(&self, stream: &StreamName, delay: Duration) {
        let mut streams = self.streams();
        if let Some(known) = streams.get_mut(stream) {
            known.delay = Some(delay);
        }
        let shortest = streams.values().filter_map(|known| known.delay).min().unwrap_or_default();
        self.shortest_delay.store(u64::try_from(shortest.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Warns, once per stream, of a delayer that is known to re-queue delay messages before a long transaction commits.
    /// Called with each save, since the check that read the delay may have been that of a connection with another
    /// setting.
    fn warn_of_short_delay(&self, stream: &StreamName, resend_after: Duration) {
        let Some(delay) = self.streams().get(stream).and_then(|known| known.delay) else { return };
        let needed = resend_after * DELAYS_OF_RESEND;
        let first = || self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(stream.clone());
        if delay < needed && first() {
            tracing::warn!(
                %stream, ?delay, ?resend_after, ?needed,
                "the delayer's delay is too short for this connection: a message can fall due before a slow transaction \
                 commits, and its change be missed if a crash follows; lengthen the delay, or leave `resend_after` out"
            );
        }
    }

    /// Warns if no consumer is registered with a stream and its messages stay. One check is in progress for each
    /// stream; an inconclusive one is followed by another.
    async fn look_for_consumers(self: Arc<Self>, stream: Stream, warn_forgotten: Duration) {
        match is_unread(&stream, warn_forgotten).await {
            Some(true) => tracing::warn!(
                stream = %stream.name(),
                "changes are written to this stream and no consumer is registered with it, so that its messages stay in Redis: run a consumer, a \
                 delayer and a trimmer for it; if nothing follows this entity, take `Streamed` from it, or stream it for its parents alone \
                 by `#[streamed(parents(…), parents_only)]`"
            ),
            Some(false) => {}
            None => _ = self.looked_for_consumers().remove(stream.name()),
        }
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<StreamName, StreamState>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn looked_for_consumers(&self) -> MutexGuard<'_, HashSet<StreamName>> {
        self.looked_for_consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a stream has no consumer and its oldest message is unchanged between two checks at this interval; `None` if
/// unknown.
async fn is_unread(stream: &Stream, later: Duration) -> Option<bool> {
    let mut oldest = None;
    for _ in 0..2 {
        if !stream.consumers().await.ok()?.is_empty() {
            return Some(false);
        }
        tokio::time::sleep(later).await;
        let first = stream.messages(MessageId::MIN, 1).await.ok()?.first().map(Message::id)?;
        // Consumers of the Ruby gem are registered nowhere; the messages that they have read are trimmed.
        let is_still_there = oldest.replace(first) == Some(first);
        if is_still_there {
            return Some(stream.consumers().await.ok()?.is_empty());
        }
    }
    None
}
