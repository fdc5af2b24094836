//! Which messages may share entries: those of streams whose readers all read packs.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Instant;

use redis::Pipeline;

use super::{Kind, Producer};
use crate::message::trace::TraceParent;
use crate::message::{MessageId, NewMessage, StreamName};
use crate::transport::pack_readers::Notes;
use crate::transport::resp::Target;

impl Producer {
    /// Reads the registries of the streams to which several of these messages go, if what is known of them is too old:
    /// of the delay streams too, for those who cannot wait. A registry that cannot be read counts as one of consumers
    /// that read no packs.
    pub(super) async fn look_for_pack_readers(&self, messages: &[NewMessage], begun: Instant) {
        if messages.len() == 1 || !self.redstream.is_packed() {
            return;
        }
        for stream in repeated(messages) {
            let keys = self.redstream.keys();
            let registries = [keys.registry(stream), keys.registry(&stream.delayed())];
            let readers = self.redstream.pack_readers();
            if registries.iter().all(|registry| readers.known(registry).is_some()) {
                continue;
            }
            let mut hvals = Pipeline::new();
            for registry in &registries {
                hvals.cmd("HVALS").arg(registry);
            }
            let hvals = &hvals;
            let ask = |mut connection| async move { hvals.query_async::<[Notes; 2]>(&mut connection).await };
            match self.link().run_since(begun, "read the registry", ask).await {
                Ok(notes) => drop(self.saw(registries.into_iter().zip(notes))),
                Err(_) => registries.iter().for_each(|registry| readers.failed(registry)),
            }
        }
    }

    /// Where these messages are written, if they are of that stream.
    pub(super) fn target(&self, kind: Kind, stream: &StreamName, messages: &[NewMessage]) -> Target {
        let trace = match kind {
            Kind::Main => TraceParent::current(),
            // The delayer writes their payloads alone.
            Kind::Delay => TraceParent::default(),
        };
        if messages.len() == 1 || !self.redstream.is_packed() {
            return Target { key: self.key(kind, stream), registry: None, trace };
        }
        let keys = self.redstream.keys();
        let registry = match kind {
            Kind::Main => keys.registry(stream),
            Kind::Delay => keys.registry(&stream.delayed()),
        };
        let packs = self.redstream.pack_readers().known(&registry) == Some(true);
        Target { key: self.key(kind, stream), registry: packs.then_some(registry), trace }
    }

    /// Takes the notes of registries. Returns whether the consumers of all of them read packs.
    pub(super) fn saw(&self, notes: impl IntoIterator<Item = (String, Notes)>) -> bool {
        notes
            .into_iter()
            .fold(true, |all, (registry, notes)| self.redstream.pack_readers().saw(&registry, notes) && all)
    }

    /// The messages, those of each stream next to each other if they may share entries, and otherwise in the same
    /// order.
    pub(super) fn grouped<'a>(&self, kind: Kind, messages: &'a [NewMessage]) -> (Cow<'a, [NewMessage]>, Order) {
        let first = messages.chunk_by(|one, next| one.stream == next.stream).next().map_or(0, <[_]>::len);
        let share = |stream: &&StreamName| self.target(kind, stream, messages).registry.is_some();
        if first == messages.len() || !repeated(messages).iter().any(share) {
            return (Cow::Borrowed(messages), Order(None));
        }
        let mut places: Vec<usize> = (0..messages.len()).collect();
        // Stable: the messages of a stream keep their order.
        places.sort_by_key(|at| &messages[*at].stream);
        (places.iter().map(|at| messages[*at].clone()).collect(), Order(Some(places)))
    }
}

/// The streams that several of the messages go to.
fn repeated(messages: &[NewMessage]) -> BTreeSet<&StreamName> {
    let (mut once, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    for same in messages.chunk_by(|one, next| one.stream == next.stream) {
        let stream = &same[0].stream;
        if same.len() > 1 || !once.insert(stream) {
            repeated.insert(stream);
        }
    }
    repeated
}

/// The place that each message had before they were grouped, if that is another one.
#[derive(Debug)]
pub(super) struct Order(Option<Vec<usize>>);

impl Order {
    /// The ids of the messages, in the order in which these were given.
    pub(super) fn given(&self, ids: Vec<MessageId>) -> Vec<MessageId> {
        let Some(places) = &self.0 else { return ids };
        let mut given = vec![MessageId::MIN; ids.len()];
        for (at, id) in places.iter().zip(ids) {
            given[*at] = id;
        }
        given
    }
}
