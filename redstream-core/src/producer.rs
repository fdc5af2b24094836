//! The producer: writes delay messages before a commit and main messages after it. Uses the root handle, the transport
//! and what is below them.

mod announce;
mod early;

pub use early::Early;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use redis::{Cmd, Pipeline};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::message::{MessageId, NewMessage, Payload, StreamName};
use crate::metrics;
use crate::redstream::Redstream;
use crate::time::millis;
use crate::transport::options::bounded;
use crate::transport::replies::Acknowledged;
use crate::transport::resp::CHUNK;
use crate::transport::shared::SharedConnection;

/// Pipelines in flight at once: while Redis works on one, the next has already arrived, and the replies of the previous
/// one are read.
const IN_FLIGHT: usize = 4;

/// The constant parts of a command.
const XADD: &str = "XADD*payload";

/// Writes messages to streams. Cheap to clone; clones share their connections, one for a lone caller and one for all
/// others. Both reconnect by themselves after a failure.
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
    /// # Errors
    ///
    /// If Redis refuses a message or does not answer within the bound. Some of them may have been added then.
    pub async fn queue_all(&self, messages: &[NewMessage]) -> Result<Vec<MessageId>> {
        self.all(Kind::Main, messages).await
    }

    /// Adds delay messages, of one stream or several, pipelined. Returns their ids in the same order.
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
        let mut ids = self.alone(kind, messages).await;
        let rest = &messages[ids.len()..];
        if rest.is_empty() {
            return Ok(ids);
        }
        let (done, keys) = (ids.len(), self.keys(kind, rest));
        ids.resize(messages.len(), MessageId::MIN);
        for section in self.sections(rest) {
            let added = if section.len() <= CHUNK {
                // A set of futures would work, but wakes itself, and with that another thread, while its only future is
                // pending.
                self.pipeline(kind, &keys, rest, &section, begun).await?
            } else {
                self.pipelines(kind, &keys, rest, &section).await?
            };
            for (id, at) in added.into_iter().zip(section) {
                ids[done + at] = id;
            }
        }
        Ok(ids)
    }

    /// Uses the connection for one caller, until it fails: the ids of the first messages that Redis acknowledged.
    async fn alone(&self, kind: Kind, messages: &[NewMessage]) -> Vec<MessageId> {
        let mut ids = Vec::new();
        if kind == Kind::Delay && self.confirmation.is_some() {
            return ids;
        }
        let Some(mut loan) = self.link().alone().await else { return ids };
        let Some(wire) = loan.wire() else { return ids };
        failpoint!(kind.points().0);
        ids.reserve(messages.len());
        let patience = self.link().connector().options().response_timeout;
        // The shared connection, which tries the rest, reports the error.
        let added = wire.add(|stream| self.key(kind, stream), messages, &mut ids, patience).await;
        if added.is_ok() {
            failpoint!(kind.points().1);
        } else {
            loan.discard();
        }
        count(kind, ids.len());
        ids
    }

    /// Several pipelines: they are sent in order over one connection, and each waits for its own replies.
    async fn pipelines(
        &self,
        kind: Kind,
        keys: &Keys<'_>,
        messages: &[NewMessage],
        section: &[usize],
    ) -> Result<Vec<MessageId>> {
        let mut ids = Vec::with_capacity(section.len());
        let mut chunks = section.chunks(CHUNK);
        let mut in_flight = FuturesOrdered::new();
        loop {
            while in_flight.len() < IN_FLIGHT
                && let Some(chunk) = chunks.next()
            {
                in_flight.push_back(self.pipeline(kind, keys, messages, chunk, Instant::now()));
            }
            let Some(added) = in_flight.next().await else { return Ok(ids) };
            ids.extend(added?);
        }
    }

    /// Which messages may go in one pipeline: in a cluster those of one stream, since each stream has its slot;
    /// otherwise all.
    fn sections(&self, messages: &[NewMessage]) -> Vec<Vec<usize>> {
        if !self.link().connector().is_cluster() {
            return vec![(0..messages.len()).collect()];
        }
        let mut sections: BTreeMap<&StreamName, Vec<usize>> = BTreeMap::new();
        for (at, message) in messages.iter().enumerate() {
            sections.entry(&message.stream).or_default().push(at);
        }
        sections.into_values().collect()
    }

    /// `begun`: when the caller's time limit began.
    async fn pipeline(
        &self,
        kind: Kind,
        keys: &Keys<'_>,
        messages: &[NewMessage],
        chunk: &[usize],
        begun: Instant,
    ) -> Result<Vec<MessageId>> {
        let mut pipeline = Pipeline::with_capacity(chunk.len() + 1);
        for NewMessage { stream, payload } in chunk.iter().map(|at| &messages[*at]) {
            let key = &keys[stream];
            let mut xadd = Cmd::with_capacity(5, XADD.len() + key.len() + payload.as_str().len());
            xadd.arg("XADD").arg(key).arg("*").arg("payload").arg(payload.as_str());
            pipeline.add_command(xadd);
        }
        let confirmation = self.confirmation.filter(|_| kind == Kind::Delay);
        if let Some(Confirmation { replicas, within }) = confirmation {
            bounded("confirmed_by", within)?;
            if self.link().connector().is_cluster() {
                let reason = "a cluster has no connection on which to wait for replicas: set min-replicas-to-write";
                return Err(Error::InvalidOption { option: "confirmed_by", reason: reason.to_owned() });
            }
            pipeline.cmd("WAIT").arg(replicas).arg(millis(within));
        }
        let pipeline = &pipeline;
        let send = |mut connection| async move { pipeline.query_async::<Acknowledged>(&mut connection).await };
        failpoint!(kind.points().0);
        let Acknowledged { ids, replicas } = self.link().run_since(begun, kind.attempt(), send).await?;
        failpoint!(kind.points().1);
        if let Some(Confirmation { replicas: wanted, within }) = confirmation {
            let confirmed = replicas.unwrap_or(0);
            if confirmed < wanted {
                return Err(Error::NotReplicated { confirmed, wanted, within });
            }
        }
        if ids.len() != chunk.len() {
            return Err(unexpected(kind, "a different number of ids"));
        }
        count(kind, ids.len());
        Ok(ids)
    }

    /// The key of each stream among the messages.
    fn keys<'a>(&self, kind: Kind, messages: &'a [NewMessage]) -> Keys<'a> {
        let mut keys = Keys::new();
        for NewMessage { stream, .. } in messages {
            keys.entry(stream).or_insert_with(|| self.key(kind, stream));
        }
        keys
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

type Keys<'a> = BTreeMap<&'a StreamName, String>;

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
