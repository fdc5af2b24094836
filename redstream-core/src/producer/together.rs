//! Writing over the connection that all callers share, and to a Cluster: pipelines of redis-rs.

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use redis::{Cmd, Pipeline};

use super::{Confirmation, Kind, Producer, count, unexpected};
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::message::entry::{ONE, SEVERAL};
use crate::message::pack::{self, Line};
use crate::message::trace::{TRACE, TraceParent};
use crate::message::{MessageId, NewMessage, StreamName};
use crate::time::millis;
use crate::transport::options::bounded;
use crate::transport::replies::Acknowledged;
use crate::transport::resp::{CHUNK, Target};

/// Pipelines in flight at once: while Redis works on one, the next has already arrived, and the replies of the previous
/// one are read.
const IN_FLIGHT: usize = 4;

/// Messages per pipeline, if they share entries.
const PACKED_CHUNK: usize = 1000;

/// The constant parts of a command.
const XADD: &str = "XADD*payloads";

/// The ids of messages, and whether all registered consumers can read them.
type Added = Result<(Vec<MessageId>, bool)>;

type Targets<'a> = BTreeMap<&'a StreamName, Target>;

impl Producer {
    /// Writes all messages. `begun`: when the caller's time limit began.
    pub(super) async fn together(&self, kind: Kind, messages: &[NewMessage], begun: Instant) -> Added {
        let targets = self.targets(kind, messages);
        let chunk = if targets.values().any(|target| target.registry.is_some()) { PACKED_CHUNK } else { CHUNK };
        let (mut ids, mut are_read) = (vec![MessageId::MIN; messages.len()], true);
        for section in self.sections(messages) {
            let (added, also) = if section.len() <= chunk {
                // A set of futures would work, but wakes itself, and with that another thread, while its only future is
                // pending.
                self.pipeline(kind, &targets, messages, &section, begun).await?
            } else {
                self.pipelines(kind, &targets, messages, section.chunks(chunk)).await?
            };
            are_read &= also;
            for (id, at) in added.into_iter().zip(section) {
                ids[at] = id;
            }
        }
        Ok((ids, are_read))
    }

    /// Several pipelines: they are sent in order over one connection, and each waits for its own replies.
    async fn pipelines(
        &self,
        kind: Kind,
        targets: &Targets<'_>,
        messages: &[NewMessage],
        mut chunks: impl Iterator<Item = &[usize]>,
    ) -> Added {
        let (mut ids, mut are_read) = (Vec::with_capacity(messages.len()), true);
        let mut in_flight = FuturesOrdered::new();
        loop {
            while in_flight.len() < IN_FLIGHT
                && let Some(chunk) = chunks.next()
            {
                in_flight.push_back(self.pipeline(kind, targets, messages, chunk, Instant::now()));
            }
            let Some(added) = in_flight.next().await else { return Ok((ids, are_read)) };
            let (added, also) = added?;
            ids.extend(added);
            are_read &= also;
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

    async fn pipeline(
        &self,
        kind: Kind,
        targets: &Targets<'_>,
        messages: &[NewMessage],
        chunk: &[usize],
        begun: Instant,
    ) -> Added {
        let mut pipeline = Pipeline::with_capacity(chunk.len() + 1);
        let (mut sizes, mut registries) = (Vec::with_capacity(chunk.len()), Vec::new());
        for same in chunk.chunk_by(|one, next| messages[*one].stream == messages[*next].stream) {
            let Target { key, registry, trace } = &targets[&messages[same[0]].stream];
            let mut rest = same;
            while !rest.is_empty() {
                let lines = rest.iter().map(|at| Line::from(&messages[*at]));
                let len = if registry.is_some() { pack::fitting(lines) } else { 1 };
                pipeline.add_command(xadd(key, trace, rest[..len].iter().map(|at| &messages[*at])));
                sizes.push(len);
                rest = &rest[len..];
                // Other messages of this stream may follow those of another one.
                if let Some(registry) = registry.as_ref().filter(|name| len > 1 && !registries.contains(name)) {
                    registries.push(registry);
                }
            }
        }
        for registry in &registries {
            pipeline.cmd("HVALS").arg(registry);
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
        let Acknowledged { ids, notes, replicas } = self.link().run_since(begun, kind.attempt(), send).await?;
        failpoint!(kind.points().1);
        if let Some(Confirmation { replicas: wanted, within }) = confirmation {
            let confirmed = replicas.unwrap_or(0);
            if confirmed < wanted {
                return Err(Error::NotReplicated { confirmed, wanted, within });
            }
        }
        if ids.len() != sizes.len() || notes.len() != registries.len() {
            return Err(unexpected(kind, "a different number of replies"));
        }
        count(kind, chunk.len());
        let are_read = self.saw(registries.into_iter().cloned().zip(notes));
        Ok((pack::ids(ids.into_iter().zip(sizes)).collect(), are_read))
    }

    fn targets<'a>(&self, kind: Kind, messages: &'a [NewMessage]) -> Targets<'a> {
        let mut targets = Targets::new();
        for NewMessage { stream, .. } in messages {
            targets.entry(stream).or_insert_with(|| self.target(kind, stream, messages));
        }
        targets
    }
}

/// The entry of these messages.
fn xadd<'a>(key: &str, trace: &TraceParent, messages: impl ExactSizeIterator<Item = &'a NewMessage> + Clone) -> Cmd {
    let field = if messages.len() == 1 { ONE } else { SEVERAL };
    let text = pack::text(messages.map(|message| &message.payload));
    let mut xadd = Cmd::with_capacity(5, XADD.len() + key.len() + text.len());
    xadd.arg("XADD").arg(key).arg("*");
    if let Some(trace) = trace.text() {
        xadd.arg(TRACE).arg(trace);
    }
    xadd.arg(field).arg(&*text);
    xadd
}
