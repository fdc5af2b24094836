//! Waiting until a consumer has passed a write: read your own writes in the secondary datastore.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::consumer::dead_letters::{DeadLetters, PAGE};
use crate::consumer::offsets::OffsetStore;
use crate::consumer::registered;
use crate::error::{Error, Result};
use crate::message::name::check_consumer;
use crate::message::{MessageId, NewMessage, Payload, StreamName};
use crate::redstream::Redstream;
use crate::time::deadline;

/// The first and the longest pause between two reads of an offset.
const LOOK: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// What a writer wrote: the main messages that were sent **after** its COMMIT, with the ids that Redis
/// acknowledged.
///
/// A delay message's id is no position to wait for: a consumer can pass it before the commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncToken {
    written: Vec<(NewMessage, Option<MessageId>)>,
}

impl SyncToken {
    /// A token for nothing: every consumer has passed it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a main message that was sent after the commit. `id`: the reply of Redis; `None` if it failed or its reply
    /// was lost, so that the wait sends it again.
    #[doc(hidden)]
    pub fn add(&mut self, message: NewMessage, id: Option<MessageId>) {
        self.written.push((message, id));
    }

    /// Merges another token, to wait for several writes at once.
    pub fn merge(&mut self, other: Self) {
        self.written.extend(other.written);
    }

    /// The part of this that was written to streams that `wanted` accepts, to wait for some of a transaction's writes
    /// only.
    ///
    /// For one entity's, the adapter has `token.of::<book::Entity>()`.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&StreamName) -> bool) -> Self {
        let written = self.written.iter().filter(|(message, _)| wanted(&message.stream)).cloned().collect();
        Self { written }
    }

    /// The streams that were written, each once.
    pub fn streams(&self) -> BTreeSet<&StreamName> {
        self.written.iter().map(|(message, _)| &message.stream).collect()
    }

    /// Whether there is nothing to wait for.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }
}

impl Redstream {
    /// Waits for up to `within` until `consumer` has committed all that the token contains, on each stream that has a
    /// consumer of that name. Streams that have none, such as that of a join table, are skipped.
    ///
    /// # Errors
    ///
    /// At once [`Error::NoSuchConsumer`] if no stream of the token has a consumer of that name; [`Error::NotSynced`] if
    /// the bound passes; [`Error::DeadLettered`] if the consumer has given up one of the messages; and if Redis does
    /// not answer.
    ///
    /// When it returns, the datastore has what was written, or something newer, provided that it uses the batch's
    /// [version](crate::Batch::version); without versions a paused former owner may still overwrite it for a while.
    pub async fn wait_until_synced(&self, consumer: &str, token: &SyncToken, within: Duration) -> Result<()> {
        check_consumer(consumer)?;
        let deadline = deadline(within);
        let token = self.consumed_by(consumer, token).await?;
        for (stream, place) in self.places(&token).await? {
            let offsets = OffsetStore::new(self.clone(), stream.clone());
            let mut pause = LOOK.0;
            loop {
                let offset = offsets.get(consumer).await?;
                if offset >= Some(place.id) {
                    break;
                }
                if Instant::now() + pause > deadline {
                    let consumer = consumer.to_owned();
                    return Err(Error::NotSynced { stream, consumer, wanted: place.id, offset, within });
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LOOK.1);
            }
            self.none_is_dead(&stream, consumer, &place).await?;
        }
        Ok(())
    }

    /// The part of the token that a consumer of that name receives.
    async fn consumed_by(&self, consumer: &str, token: &SyncToken) -> Result<SyncToken> {
        let mut consumed = BTreeSet::new();
        for name in token.streams() {
            if registered::has(self, name, consumer).await? {
                consumed.insert(name);
            }
        }
        if consumed.is_empty() {
            consumed.extend(self.registered_just_now(consumer, token).await?);
        }
        Ok(token.only(|stream| consumed.contains(stream)))
    }

    /// The stream that has a consumer of that name by now. Errors if none has, and then names the stream with the most
    /// other consumers: if the name is misspelled, that stream was most likely meant.
    async fn registered_just_now<'t>(&self, consumer: &str, token: &'t SyncToken) -> Result<Option<&'t StreamName>> {
        let mut told: Option<(&StreamName, Vec<String>)> = None;
        for name in token.streams() {
            let known = registered::names(self, name).await?;
            if known.iter().any(|known| known == consumer) {
                return Ok(Some(name));
            }
            if told.as_ref().is_none_or(|(_, most)| known.len() > most.len()) {
                told = Some((name, known));
            }
        }
        let Some((stream, mut known)) = told else { return Ok(None) };
        known.sort_unstable();
        Err(Error::NoSuchConsumer { stream: stream.clone(), consumer: consumer.to_owned(), known })
    }

    /// For each stream the highest id, and what was written. Messages without an id are sent again: they are committed,
    /// so announcing them is right even if the first was written.
    async fn places(&self, token: &SyncToken) -> Result<BTreeMap<StreamName, Place>> {
        let unknown: Vec<NewMessage> =
            token.written.iter().filter(|(_, id)| id.is_none()).map(|(message, _)| message.clone()).collect();
        let again = self.producer().queue_all(&unknown).await?;
        let known = token.written.iter().filter_map(|(message, id)| Some((message.clone(), (*id)?)));
        let mut places: BTreeMap<StreamName, Place> = BTreeMap::new();
        for (message, id) in known.chain(unknown.into_iter().zip(again)) {
            let place = places.entry(message.stream).or_default();
            place.id = place.id.max(id);
            place.payloads.insert(message.payload);
        }
        Ok(places)
    }

    async fn none_is_dead(&self, stream: &StreamName, consumer: &str, place: &Place) -> Result<()> {
        let letters = DeadLetters::new(self, stream, consumer);
        let (mut after, mut limit) = (MessageId::MIN, PAGE);
        loop {
            let page = letters.page(after, &mut limit).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            let mine = |payload: &[u8]| place.payloads.iter().any(|own| own.as_str().as_bytes() == payload);
            if let Some(letter) = page.into_iter().find(|letter| letter.message_id <= place.id && mine(&letter.payload))
            {
                return Err(Error::DeadLettered {
                    stream: stream.clone(),
                    consumer: consumer.to_owned(),
                    message: letter.message_id,
                    error: letter.error,
                });
            }
        }
    }
}

#[derive(Default)]
struct Place {
    id: MessageId,
    payloads: HashSet<Payload>,
}
