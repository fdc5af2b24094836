//! Announces and removes: adds the main message and removes its delay messages, in one atomic step.

use std::collections::BTreeMap;

use super::{Kind, Producer, unexpected};
use crate::error::Result;
use crate::message::repeat::MARK;
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
    /// too.
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
            for places in places.chunks(CHUNK) {
                let added = self.announce_in(stream, places.iter().map(|at| &insured[*at]), as_wanted).await?;
                if added.len() != places.len() {
                    return Err(unexpected(Kind::Main, "a different number of ids"));
                }
                for (at, id) in places.iter().zip(added) {
                    ids[*at] = id;
                }
            }
        }
        Ok(ids)
    }

    async fn announce_in<'a>(
        &self,
        stream: &StreamName,
        insured: impl ExactSizeIterator<Item = &'a (NewMessage, Vec<MessageId>)> + Clone,
        as_wanted: bool,
    ) -> Result<Vec<MessageId>> {
        let mut script = scripts::ANNOUNCE.prepare_invoke();
        script.key(self.key(Kind::Main, stream)).key(self.key(Kind::Delay, stream));
        if as_wanted {
            script.key(self.redstream.keys().registry(stream));
        }
        script.arg(insured.len()).arg(MARK);
        for (message, _) in insured.clone() {
            script.arg(message.payload.as_str());
        }
        for id in insured.flat_map(|(_, delayed)| delayed) {
            script.arg(id.to_string());
        }
        let Acknowledged { ids, .. } = self.link().script(Kind::Main.attempt(), &script).await?;
        ::metrics::counter!(metrics::PRODUCED, "kind" => Kind::Main.label()).increment(ids.len() as u64);
        Ok(ids)
    }
}
