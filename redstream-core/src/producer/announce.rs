//! Announces and removes: adds the main message and removes its delay messages, in one atomic step.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Producer, unexpected};
use crate::error::Result;
use crate::message::pack::{self, Line};
use crate::message::repeat::MARK;
use crate::message::trace::TraceParent;
use crate::message::{MessageId, NewMessage, StreamName};
use crate::metrics;
use crate::transport::replies::Acknowledged;
use crate::transport::resp::CHUNK;
use crate::transport::scripts;

impl Producer {
    /// Adds main messages, and removes with each the given delay messages, by their ids. Returns the
    /// main messages' ids in the same order.
    ///
    /// One script per stream and 250 messages, so that Redis, and each replica, has both or neither. Works on a Cluster
    /// too. An entry of several delay messages is removed with the last of these, and stays if not all are given.
    ///
    /// **Not for every consumer**: nothing then announces the change a second time. Use it only if every consumer's
    /// datastore refuses older versions, and if rows are read from the primary database. Removing delay messages by a
    /// separate command, after the main messages were acknowledged, can lose a change in a failover.
    ///
    /// # Errors
    ///
    /// If Redis refuses or does not answer within the bound. Some of the messages may have been added then, and their
    /// delay messages removed. If the reply was lost, main messages are added again.
    pub async fn announce_and_remove_delays(&self, insured: &[(NewMessage, Vec<MessageId>)]) -> Result<Vec<MessageId>> {
        self.announce_all(insured, false).await
    }

    /// [`announce_and_remove_delays`](Self::announce_and_remove_delays), as far as the registered consumers of each
    /// stream [skip repeats](crate::Consumer::skip_repeats): if all of them do, the delay messages are removed; if some
    /// do, each is replaced by one that is [marked](crate::Message::is_repeat), and due when its delay has passed from
    /// now on; if none does, they are not changed.
    ///
    /// The same script reads the registry. Consumers of the Ruby gem are not registered, so they do not count.
    ///
    /// # Errors
    ///
    /// As [`announce_and_remove_delays`](Self::announce_and_remove_delays).
    pub async fn announce_as_wanted(&self, insured: &[(NewMessage, Vec<MessageId>)]) -> Result<Vec<MessageId>> {
        self.announce_all(insured, true).await
    }

    async fn announce_all(&self, insured: &[(NewMessage, Vec<MessageId>)], as_wanted: bool) -> Result<Vec<MessageId>> {
        let mut streams: BTreeMap<&StreamName, Vec<usize>> = BTreeMap::new();
        for (at, (message, _)) in insured.iter().enumerate() {
            streams.entry(&message.stream).or_default().push(at);
        }
        let mut ids = vec![MessageId::MIN; insured.len()];
        for (stream, places) in streams {
            let delays = Delays::of(&places, insured);
            for (nth, places) in places.chunks(CHUNK).enumerate() {
                let messages = places.iter().map(|at| &insured[*at]);
                let added = self.announce_in(stream, messages, &delays.last_in(nth), as_wanted).await?;
                for (at, id) in places.iter().zip(added) {
                    ids[*at] = id;
                }
            }
        }
        Ok(ids)
    }

    /// `removed`: the entries of delay messages that may go, with how many of their messages are announced by then.
    async fn announce_in<'a>(
        &self,
        stream: &StreamName,
        insured: impl ExactSizeIterator<Item = &'a (NewMessage, Vec<MessageId>)> + Clone,
        removed: &[(MessageId, usize)],
        as_wanted: bool,
    ) -> Result<Vec<MessageId>> {
        let keys = self.redstream.keys();
        let messages: Vec<&NewMessage> = insured.clone().map(|(message, _)| message).collect();
        // Whether their readers read packs is decided by the script.
        let entries = || pack::entries(&messages, self.redstream.is_packed(), |message| Line::from(*message));
        let kinds: String = entries().map(|entry| if entry.len() == 1 { 'o' } else { 's' }).collect();
        let mut script = scripts::ANNOUNCE.prepare_invoke();
        script.key(self.key(Kind::Main, stream)).key(self.key(Kind::Delay, stream));
        if as_wanted || kinds.contains('s') {
            script.key(keys.registry(stream));
        }
        // No script names a key that it does not need: in an open slot of a Cluster one that does not exist is refused.
        if as_wanted && kinds.contains('s') {
            script.key(keys.registry(&stream.delayed()));
        }
        let are_insured = insured.clone().any(|(_, delayed)| !delayed.is_empty());
        script.arg(kinds).arg(MARK).arg(u8::from(as_wanted)).arg(u8::from(are_insured));
        script.arg(TraceParent::current().text().unwrap_or_default());
        for entry in entries() {
            script.arg(&*pack::text(entry.iter().map(|message| &message.payload)));
        }
        for (id, messages) in removed {
            script.arg(id.to_string()).arg(*messages);
        }
        let Acknowledged { ids, .. } = self.link().script(Kind::Main.attempt(), &script).await?;
        let ids: Vec<MessageId> = if ids.len() == messages.len() {
            ids
        } else {
            pack::ids(ids.into_iter().zip(entries().map(<[_]>::len))).collect()
        };
        if ids.len() != messages.len() {
            return Err(unexpected(Kind::Main, "a different number of ids"));
        }
        ::metrics::counter!(metrics::PRODUCED, "kind" => Kind::Main.label()).increment(ids.len() as u64);
        Ok(ids)
    }
}

/// The entries of the delay messages of one stream.
///
/// An entry insures all its messages, so it goes with the script that announces the last of them. If it holds others,
/// the script leaves it.
struct Delays(BTreeMap<MessageId, Delayed>);

#[derive(Default)]
struct Delayed {
    /// Those of its messages that are announced.
    messages: BTreeSet<MessageId>,
    /// The last script that announces one of them.
    last: usize,
}

impl Delays {
    fn of(places: &[usize], insured: &[(NewMessage, Vec<MessageId>)]) -> Self {
        let mut entries: BTreeMap<MessageId, Delayed> = BTreeMap::new();
        for (nth, places) in places.chunks(CHUNK).enumerate() {
            for id in places.iter().flat_map(|at| &insured[*at].1) {
                let delayed = entries.entry(id.entry()).or_default();
                delayed.messages.insert(*id);
                delayed.last = nth;
            }
        }
        Self(entries)
    }

    /// The entries that go with this script, and how many of their messages are announced.
    fn last_in(&self, script: usize) -> Vec<(MessageId, usize)> {
        let of_script = self.0.iter().filter(|(_, delayed)| delayed.last == script);
        of_script.map(|(id, delayed)| (*id, delayed.messages.len())).collect()
    }
}
