//! How far the watched consumers are.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;

use crate::consumer::registered;
use crate::error::{Error, Result};
use crate::message::name::check_consumer;
use crate::message::{MessageId, StreamName};
use crate::redstream::Redstream;
use crate::transport::scripts;
use crate::worker::member::ConsumerKeys;

/// The consumers by whose progress a walk is throttled, and told done.
#[derive(Debug)]
pub(super) struct Watched {
    redstream: Redstream,
    /// Those of each stream; never empty.
    consumers: BTreeMap<StreamName, Vec<String>>,
    /// All that are registered, not some that the caller named.
    is_all: bool,
}

/// What was seen of them.
#[derive(Debug)]
pub(super) struct Standings(BTreeMap<StreamName, Standing>);

#[derive(Debug)]
struct Standing {
    /// The stream's last message.
    last: MessageId,
    consumers: Vec<One>,
}

#[derive(Debug)]
struct One {
    name: String,
    is_registered: bool,
    is_paused: bool,
    /// The first message that it has not committed.
    next: Option<MessageId>,
}

impl Watched {
    /// These consumers, or all that are registered if none is named.
    pub(super) async fn find(redstream: &Redstream, streams: &[StreamName], named: &[String]) -> Result<Self> {
        let mut consumers = BTreeMap::new();
        for stream in streams {
            let names = if named.is_empty() { registered::names(redstream, stream).await? } else { named.to_vec() };
            for name in &names {
                check_consumer(name)?;
            }
            consumers.insert(stream.clone(), names);
        }
        Ok(Self { redstream: redstream.clone(), consumers, is_all: named.is_empty() })
    }

    /// Their names, each once.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.consumers.values().flatten().cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Looks at each. One that was forgotten is no longer watched; it is an error if the caller named it, or if a
    /// stream has no other.
    pub(super) async fn look(&mut self) -> Result<Standings> {
        let each = self.consumers.iter().map(|(stream, names)| self.standing(stream, names));
        let standings: BTreeMap<_, _> = try_join_all(each).await?.into_iter().collect();
        for (stream, standing) in &standings {
            for gone in standing.consumers.iter().filter(|consumer| !consumer.is_registered) {
                if !self.is_all {
                    return Err(registered::no_such(&self.redstream, stream, &gone.name).await?);
                }
                tracing::warn!(%stream, consumer = gone.name, "a reindex no longer waits for a consumer that was forgotten");
                self.consumers.entry(stream.clone()).or_default().retain(|name| *name != gone.name);
            }
        }
        if let Some((stream, _)) = self.consumers.iter().find(|(_, names)| names.is_empty()) {
            let reason = format!("stream {stream} has none that reads the keys: start it, or `register` it, first");
            return Err(Error::InvalidOption { option: "consumer", reason });
        }
        Ok(Standings(standings))
    }

    /// How many dead letters they have.
    pub(super) async fn dead_letters(&self) -> Result<u64> {
        let mut count = 0;
        for (stream, names) in &self.consumers {
            for name in names {
                let mut xlen = redis::cmd("XLEN");
                xlen.arg(self.redstream.keys().dead_letters(stream, name));
                count += self.redstream.link().command::<u64>("count dead letters", &xlen).await?;
            }
        }
        Ok(count)
    }

    async fn standing(&self, stream: &StreamName, names: &[String]) -> Result<(StreamName, Standing)> {
        const ATTEMPT: &str = "see how far consumers are";
        let keys = self.redstream.keys();
        let mut script = scripts::STANDING.prepare_invoke();
        script.key(keys.stream(stream)).key(keys.registry(stream));
        for name in names {
            script.key(ConsumerKeys::new(keys, stream, name).offset).arg(name);
        }
        let reply: Vec<String> = self.redstream.link().script(ATTEMPT, &script).await?;
        let unexpected = || Error::UnexpectedReply { attempt: ATTEMPT.to_owned(), reply: reply.join(" ") };
        let id = |text: &String| text.parse::<MessageId>().map_err(|_| unexpected());
        let (last, consumers) = reply.split_first().ok_or_else(unexpected)?;
        let one = |(name, fields): (&String, &[String])| {
            let next = if fields[2].is_empty() { None } else { Some(id(&fields[2])?) };
            Ok(One { name: name.clone(), is_registered: fields[0] == "1", is_paused: fields[1] == "1", next })
        };
        let consumers = names.iter().zip(consumers.chunks_exact(3)).map(one).collect::<Result<_>>()?;
        Ok((stream.clone(), Standing { last: id(last)?, consumers }))
    }
}

impl Standings {
    /// The last message of each stream.
    pub(super) fn last(&self) -> BTreeMap<StreamName, MessageId> {
        self.0.iter().map(|(stream, standing)| (stream.clone(), standing.last)).collect()
    }

    /// Whether every consumer has passed this message: committed it, or found that it was trimmed.
    pub(super) fn is_passed(&self, stream: &StreamName, id: MessageId) -> bool {
        self.0.get(stream).is_none_or(|standing| standing.consumers.iter().all(|one| one.has_passed(standing.last, id)))
    }

    /// Whether Redis has lost this message, and every one behind it.
    pub(super) fn is_lost(&self, stream: &StreamName, id: MessageId) -> bool {
        self.0.get(stream).is_some_and(|standing| standing.last < id)
    }

    /// A consumer that has not passed these messages, for a warning: its stream, its name, and whether it is paused.
    pub(super) fn behind(&self, last: &BTreeMap<StreamName, MessageId>) -> Option<(&StreamName, &str, bool)> {
        self.0.iter().find_map(|(stream, standing)| {
            let id = last.get(stream)?;
            let one = standing.consumers.iter().find(|one| !one.has_passed(standing.last, *id))?;
            Some((stream, &*one.name, one.is_paused))
        })
    }
}

impl One {
    fn has_passed(&self, last: MessageId, id: MessageId) -> bool {
        self.next.map_or(last >= id, |next| next > id)
    }
}
