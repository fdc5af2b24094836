//! The producer: writes delay messages before a commit and main messages after it. Uses the root handle, the transport
//! and what is below them.

mod announce;
mod background;
mod early;
mod packs;
mod together;

pub use early::Early;

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::message::{MessageId, NewMessage, Payload, StreamName};
use crate::metrics;
use crate::redstream::Redstream;
use crate::transport::group::{GroupConnection, Outcome};
use crate::transport::shared::SharedConnection;

/// Writes messages to streams. Cheap to clone; clones share their connections: one for small writes, whose callers
/// share pipelines, one for large writes, and one for all else. They reconnect by themselves after a failure.
///
/// Each call is bounded by [`give_up_after`](crate::ConnectOptions::give_up_after). A message whose acknowledgement was
/// lost is written again, so a message may be duplicated but is never lost: a duplicate is harmless, since a message
/// carries a key and not a value.
#[derive(Clone, Debug)]
pub struct Producer {
    redstream: Redstream,
    confirmation: Option<Confirmation>,
}

/// The replication that `WAIT` must confirm before delay messages count as written.
#[derive(Clone, Copy, Debug)]
struct Confirmation {
    replicas: u32,
    within: Duration,
}

impl Redstream {
    /// Writes messages: pass it to your connection to the primary database.
    pub fn producer(&self) -> Producer {
        Producer::new(self.clone())
    }
}

impl Producer {
    fn new(redstream: Redstream) -> Self {
        Self { redstream, confirmation: None }
    }

    /// Makes delay messages count as written only after this many replicas have confirmed them, within that time. For
    /// applications that run replicas and must not lose messages in a failover. Default: none.
    ///
    /// `WAIT` runs on the same connection that wrote. Fewer confirmations are
    /// [`Error::NotReplicated`]; the messages may exist anyway, which is harmless.
    /// Keep `within` below [`response_timeout`](crate::ConnectOptions::response_timeout).
    #[must_use]
    pub fn confirmed_by(mut self, replicas: u32, within: Duration) -> Self {
        self.confirmation = Some(Confirmation { replicas, within });
        self
    }

    /// Adds a main message, which consumers read at once. Returns its id when Redis acknowledged it.
    ///
    /// # Errors
    ///
    /// If the payload cannot be expressed as JSON, if Redis refuses the message, or if it does not answer within the
    /// bound.
    pub async fn queue(&self, stream: &StreamName, payload: &(impl Serialize + ?Sized)) -> Result<MessageId> {
        self.one(Kind::Main, stream, payload).await
    }

    /// Adds a delay message, which the delayer turns into a main message later. Returns its id when
    /// Redis acknowledged it.
    ///
    /// # Errors
    ///
    /// As [`queue`](Self::queue).
    pub async fn delay(&self, stream: &StreamName, payload: &(impl Serialize + ?Sized)) -> Result<MessageId> {
        self.one(Kind::Delay, stream, payload).await
    }

    /// Adds main messages, of one stream or several, pipelined. Returns their ids in the same order.
    ///
    /// The messages of a stream keep their order. Up to 100 of them share an entry if all registered consumers of the
    /// stream can read it: see [`ConnectOptions::packed`](crate::ConnectOptions::packed).
    ///
    /// # Errors
    ///
    /// If Redis refuses a message or does not answer within the bound. Some of them may have been added then.
    pub async fn queue_all(&self, messages: &[NewMessage]) -> Result<Vec<MessageId>> {
        self.all(Kind::Main, messages).await
    }

    /// Adds delay messages, of one stream or several, pipelined. Returns their ids in the same order.
    ///
    /// Up to 100 of them share an entry, as with [`queue_all`](Self::queue_all), if the delayer can read it. So pass
    /// only those of one transaction: they are removed together.
    ///
    /// # Errors
    ///
    /// As [`queue_all`](Self::queue_all), and if fewer replicas than [required](Self::confirmed_by) have confirmed
    /// them.
    pub async fn delay_all(&self, messages: &[NewMessage]) -> Result<Vec<MessageId>> {
        self.all(Kind::Delay, messages).await
    }

    /// The handle this producer was made from.
    pub fn redstream(&self) -> &Redstream {
        &self.redstream
    }

    /// Whether both write to the same Redis under the same keys: both come from clones of one
    /// [`Redstream`].
    #[doc(hidden)]
    pub fn same_redis(&self, other: &Self) -> bool {
        self.link().is_same(other.link())
    }

    async fn one(&self, kind: Kind, stream: &StreamName, payload: &(impl Serialize + ?Sized)) -> Result<MessageId> {
        let payload = Payload::encode(payload).map_err(|source| Error::Encode { stream: stream.clone(), source })?;
        let ids = self.all(kind, &[NewMessage::new(stream.clone(), payload)]).await?;
        ids.first().copied().ok_or_else(|| unexpected(kind, "no id"))
    }

    async fn all(&self, kind: Kind, messages: &[NewMessage]) -> Result<Vec<MessageId>> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let begun = Instant::now();
        self.look_for_pack_readers(messages, begun).await;
        loop {
            let (grouped, order) = self.grouped(kind, messages);
            let (ids, are_read) = self.write(kind, &grouped, begun).await?;
            if are_read {
                return Ok(order.given(ids));
            }
            tracing::info!(
                stream = %messages[0].stream,
                "a consumer that cannot read packs is registered: the messages are written again, one per entry"
            );
        }
    }

    /// Returns their ids, and whether all registered consumers can read them.
    async fn write(&self, kind: Kind, messages: &[NewMessage], begun: Instant) -> Result<(Vec<MessageId>, bool)> {
        let (mut ids, mut are_read) = self.without_redis_rs(kind, messages).await;
        let done = ids.len();
        if done < messages.len() {
            // On the heap, as all that a plain save does not reach: what a commit takes of memory is copied with it.
            let (added, also) = Box::pin(self.together(kind, &messages[done..], begun)).await?;
            ids.extend(added);
            are_read &= also;
        }
        Ok((ids, are_read))
    }

    /// Uses a connection of our own, until it fails: the ids of the first messages that Redis acknowledged, and whether
    /// all registered consumers can read them.
    async fn without_redis_rs(&self, kind: Kind, messages: &[NewMessage]) -> (Vec<MessageId>, bool) {
        if kind == Kind::Delay && self.confirmation.is_some() {
            return (Vec::new(), true);
        }
        let added = if GroupConnection::has_room_for(messages) {
            self.in_group(kind, messages).await
        } else {
            Box::pin(self.alone(kind, messages)).await
        };
        match added {
            Some(Outcome::Added(adding)) => {
                failpoint!(kind.points().1);
                count(kind, adding.ids.len());
                let are_read = self.saw(adding.notes);
                (adding.ids, are_read)
            }
            Some(Outcome::Failed(ids)) => {
                count(kind, ids.len());
                (ids, true)
            }
            None => (Vec::new(), true),
        }
    }

    async fn in_group(&self, kind: Kind, messages: &[NewMessage]) -> Option<Outcome> {
        let group = self.link().group().await;
        failpoint!(kind.points().0);
        let ticket = group.send(|stream| self.target(kind, stream, messages), messages)?;
        Some(ticket.acknowledged(self.link().connector().options().response_timeout).await)
    }

    async fn alone(&self, kind: Kind, messages: &[NewMessage]) -> Option<Outcome> {
        let mut loan = self.link().alone().await?;
        let wire = loan.wire()?;
        failpoint!(kind.points().0);
        let patience = self.link().connector().options().response_timeout;
        match wire.add(|stream| self.target(kind, stream, messages), messages, patience).await {
            Ok(adding) => Some(Outcome::Added(adding)),
            Err(ids) => {
                loan.discard();
                Some(Outcome::Failed(ids))
            }
        }
    }

    fn key(&self, kind: Kind, stream: &StreamName) -> String {
        match kind {
            Kind::Main => self.redstream.keys().stream(stream),
            Kind::Delay => self.redstream.keys().delay_stream(stream),
        }
    }

    fn link(&self) -> &SharedConnection {
        self.redstream.link()
    }
}

fn count(kind: Kind, messages: usize) {
    ::metrics::counter!(metrics::PRODUCED, "kind" => kind.label()).increment(messages as u64);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Main,
    Delay,
}

impl Kind {
    fn attempt(self) -> &'static str {
        match self {
            Self::Main => "add main messages",
            Self::Delay => "add delay messages",
        }
    }

    /// The failpoints before a pipeline is sent, and after it was acknowledged.
    #[cfg(redstream_chaos)]
    fn points(self) -> (&'static str, &'static str) {
        match self {
            Self::Main => ("main: sending", "main: acknowledged"),
            Self::Delay => ("delay: sending", "delay: acknowledged"),
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Delay => "delay",
        }
    }
}

fn unexpected(kind: Kind, reply: &str) -> Error {
    Error::UnexpectedReply { attempt: kind.attempt().to_owned(), reply: reply.chars().take(64).collect() }
}
