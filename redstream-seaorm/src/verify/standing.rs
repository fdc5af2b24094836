//! How far the consumers and the delayers of an entity's streams are.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::try_join_all;
use redstream_core::{Error, Message, MessageId, Redstream, Result, Stream, StreamName};
use tokio::time::Instant;

use crate::entity::streamed::Streamed;
use crate::entity::streams::entity_stream;
use crate::verify::retry::Retry;

/// How many messages are read at once.
const PAGE: usize = 1000;

/// A position in each stream of the entity.
pub(super) type Mark = Vec<MessageId>;

/// The streams of an entity, and the workers that are waited for.
pub(super) struct Streams {
    id: String,
    retry_for: Duration,
    each: Vec<Watched>,
}

struct Watched {
    stream: Stream,
    consumers: Vec<Consumer>,
    /// The delay that its delayer has published; `None` if none ever ran, or if it does not matter.
    delay: Option<Duration>,
    /// The oldest delay message, when it was last looked at.
    delayed: Option<MessageId>,
}

/// A consumer, as it was last looked at.
pub(super) struct Consumer {
    pub(super) name: String,
    offset: MessageId,
    /// The first message that it has not committed.
    next: Option<MessageId>,
    /// When its offset was last seen to change.
    progressed: Instant,
}

impl Streams {
    /// The streams of the entity. Errors if no consumer is registered, or one that is named is not.
    pub(super) async fn of<E: Streamed>(
        redstream: &Redstream,
        (id, retry_for): (&str, Duration),
        named: &[String],
        skip_delay: bool,
    ) -> Result<Self> {
        let mut streams = Vec::new();
        for stream in entity_stream::<E>(redstream)?.streams() {
            let known = stream.consumers().await?;
            if let Some(unknown) = named.iter().find(|name| !known.contains(name)) {
                let (stream, consumer) = (stream.name().clone(), unknown.clone());
                return Err(Error::NoSuchConsumer { stream, consumer, known });
            }
            let names = if named.is_empty() { known } else { named.to_vec() };
            if names.is_empty() {
                let reason = format!("stream {} has none that feeds the sink: start it first", stream.name());
                return Err(Error::InvalidOption { option: "consumer", reason });
            }
            let delay = if skip_delay { None } else { stream.published_delay().await? };
            let consumers = names.into_iter().map(Consumer::new).collect();
            streams.push(Watched { stream: stream.clone(), consumers, delay, delayed: None });
        }
        Ok(Self { id: id.to_owned(), retry_for, each: streams })
    }

    /// The last message of each stream.
    pub(super) async fn ends(&self) -> Result<Mark> {
        self.id_of_each(async |stream| stream.last_id().await).await
    }

    /// The last delay message of each stream.
    pub(super) async fn delay_ends(&self) -> Result<Mark> {
        self.id_of_each(async |stream| stream.last_delay_id().await).await
    }

    async fn id_of_each(&self, id: impl AsyncFn(&Stream) -> Result<MessageId>) -> Result<Mark> {
        let mut retry = Retry::new(self.retry_for);
        loop {
            match try_join_all(self.each.iter().map(|watched| id(&watched.stream))).await {
                Err(error) if self.may_pass(&error, &mut retry).await => {}
                ends => return ends,
            }
        }
    }

    async fn may_pass(&self, error: &Error, retry: &mut Retry) -> bool {
        error.is_transient() && retry.pause(&self.id, "look at the streams", error).await
    }

    /// Looks at all workers.
    pub(super) async fn look(&mut self) -> Result<()> {
        let mut retry = Retry::new(self.retry_for);
        loop {
            match try_join_all(self.each.iter_mut().map(Watched::look)).await {
                Ok(_) => return Ok(()),
                Err(error) => {
                    if !(error.is_transient() && retry.pause(&self.id, "look at the consumers", &error).await) {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The offset of the consumer that is furthest behind, in each stream.
    pub(super) fn offsets(&self) -> Mark {
        let least = |watched: &Watched| watched.consumers.iter().map(|consumer| consumer.offset).min();
        self.each.iter().map(|watched| least(watched).unwrap_or(MessageId::MIN)).collect()
    }

    /// A stream with a delay message up to this mark: a change that it insures can still be announced.
    pub(super) fn undelayed(&self, mark: &[MessageId]) -> Option<&StreamName> {
        let mut each = self.each.iter().zip(mark);
        let is_left = |watched: &Watched, end: MessageId| watched.delayed.is_some_and(|oldest| oldest <= end);
        each.find(|(watched, end)| is_left(watched, **end)).map(|(watched, _)| watched.stream.name())
    }

    /// Whether all consumers have passed this mark.
    pub(super) fn have_passed(&self, mark: &[MessageId]) -> bool {
        self.behind(mark).next().is_none()
    }

    /// A consumer that has not passed this mark, and has made no progress for so long.
    pub(super) fn stuck(&self, mark: &[MessageId], patience: Duration) -> Option<(&StreamName, &str)> {
        let mut behind = self.behind(mark);
        let stuck = behind.find(|(_, consumer)| consumer.progressed.elapsed() > patience);
        stuck.map(|(stream, consumer)| (stream, consumer.name.as_str()))
    }

    pub(super) fn behind(&self, mark: &[MessageId]) -> impl Iterator<Item = (&StreamName, &Consumer)> {
        self.each.iter().zip(mark).flat_map(|(watched, end)| {
            let is_behind = |consumer: &&Consumer| consumer.next.is_some_and(|next| next <= *end);
            watched.consumers.iter().filter(is_behind).map(|consumer| (watched.stream.name(), consumer))
        })
    }

    /// The longest delay that was published.
    pub(super) fn delay(&self) -> Duration {
        self.each.iter().filter_map(|watched| watched.delay).max().unwrap_or_default()
    }

    /// Adds the payloads of the messages after this mark, and moves the mark to the end.
    pub(super) async fn messages_after(
        &self,
        mark: &mut Mark,
        payloads: &mut HashSet<(StreamName, Vec<u8>)>,
    ) -> Result<()> {
        let mut retry = Retry::new(self.retry_for);
        for (watched, after) in self.each.iter().zip(mark) {
            loop {
                let page = match watched.stream.messages(*after, PAGE).await {
                    Ok(page) => page,
                    Err(error) if self.may_pass(&error, &mut retry).await => continue,
                    Err(error) => return Err(error),
                };
                let Some(last) = page.last() else { break };
                *after = last.id();
                payloads.extend(page.iter().map(|message| (watched.stream.name().clone(), message.raw().to_vec())));
                if page.len() < PAGE {
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Watched {
    async fn look(&mut self) -> Result<()> {
        if self.delay.is_some() {
            let oldest = self.stream.delay_messages(MessageId::MIN, 1).await?;
            self.delayed = oldest.first().map(Message::id);
        }
        for consumer in &mut self.consumers {
            let offset = self.stream.offsets().get(&consumer.name).await?.unwrap_or(MessageId::MIN);
            consumer.next = self.stream.messages(offset, 1).await?.first().map(Message::id);
            if offset != consumer.offset {
                (consumer.offset, consumer.progressed) = (offset, Instant::now());
            }
        }
        Ok(())
    }
}

impl Consumer {
    fn new(name: String) -> Self {
        Self { name, offset: MessageId::MIN, next: None, progressed: Instant::now() }
    }
}
