//! Decodes which records the messages of a batch name.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use foldhash::fast::RandomState;
use redstream_core::{Batch, BoxError, DecodeError, HandlerError, Message, MessageId, metrics};
use sea_orm::EntityTrait;
use sea_orm::sea_query::IntoValueTuple;
use serde::de::Error as _;
use serde_json::Value as Json;

use crate::entity::key::{Key, KeyOf, KeyReader};
use crate::entity::streamed::{KIND, Streamed};

/// Reads the key back that a payload was made of; `None` if the payload belongs to another entity.
pub(crate) struct Decoder<E> {
    decode: Arc<Decode<E>>,
    /// Reads the usual payloads without parsing them as JSON.
    plain: Option<Arc<Plain<E>>>,
}

type Plain<E> = dyn Fn(&[u8]) -> Option<Key<E>> + Send + Sync;

type Decode<E> = dyn Fn(Json) -> Result<Option<Key<E>>, serde_json::Error> + Send + Sync;

impl<E: Streamed> Decoder<E> {
    /// The key's columns, by name, of a JSON object of the entity's kind.
    pub(crate) fn columns() -> Self {
        let reader = Arc::new(KeyReader::new());
        let plain = Some(plain(&reader));
        let decode = Arc::new(move |payload| {
            if !is_own_kind::<E>(&payload) {
                return Ok(None);
            }
            reader.read(&payload).map(Some).map_err(serde_json::Error::custom)
        });
        Self { decode, plain }
    }

    /// The same; a payload that is no object of the key's columns belongs to another entity.
    pub(crate) fn own_columns() -> Self {
        let reader = Arc::new(KeyReader::new());
        let plain = Some(plain(&reader));
        let own = move |payload| Ok(is_own_kind::<E>(&payload).then(|| reader.read(&payload).ok()).flatten());
        Self { decode: Arc::new(own), plain }
    }

    /// By the decoder that the user gave.
    pub(crate) fn by<F>(decode: F) -> Self
    where
        F: Fn(Json) -> Result<Option<KeyOf<E>>, BoxError> + Send + Sync + 'static,
    {
        let decode = move |payload| match decode(payload) {
            Ok(key) => Ok(key.map(|key| Key::from_values(key.into_value_tuple()))),
            Err(error) => Err(error.downcast().map_or_else(serde_json::Error::custom, |error| *error)),
        };
        Self { decode: Arc::new(decode), plain: None }
    }

    pub(crate) fn key_of(&self, message: &Message) -> Result<Option<Key<E>>, DecodeError> {
        // A payload without a kind is of this entity, even if the entity has one.
        if let Some(key) = self.plain.as_ref().and_then(|read| read(message.raw())) {
            return Ok(Some(key));
        }
        (self.decode)(message.payload()?).map_err(|source| DecodeError::Json { id: message.id(), source })
    }
}

fn plain<E: EntityTrait>(reader: &Arc<KeyReader<E>>) -> Arc<Plain<E>> {
    let reader = Arc::clone(reader);
    Arc::new(move |text| reader.read_plain(text))
}

/// Whether a payload is of the entity's kind, if it has one. A payload without a kind was written before the entity had
/// one.
pub(crate) fn is_own_kind<E: Streamed>(payload: &Json) -> bool {
    match (E::kind(), payload.get(KIND)) {
        (Some(own), Some(kind)) => kind == own,
        _ => true,
    }
}

/// The records that a batch names, each once, and the messages that name them.
pub(crate) struct BatchKeys<E> {
    keys: Vec<Key<E>>,
    messages: HashMap<Key<E>, Naming, RandomState>,
    /// How many messages of other entities were skipped.
    passed_over: u64,
}

/// The messages that name a record: most are named by one.
#[derive(Clone, Debug)]
struct Naming {
    first: MessageId,
    more: Vec<MessageId>,
}

impl Naming {
    fn ids(&self) -> impl Iterator<Item = MessageId> {
        std::iter::once(self.first).chain(self.more.iter().copied())
    }
}

impl<E: Streamed> BatchKeys<E> {
    /// Errors with the first message that names no record. Messages of other entities are skipped.
    pub(crate) fn in_batch(batch: &Batch, decoder: &Decoder<E>) -> Result<Self, DecodeError> {
        let mut keys = Vec::with_capacity(batch.len());
        let mut messages = HashMap::with_capacity_and_hasher(batch.len(), RandomState::default());
        let mut passed_over = 0_u64;
        for message in batch.messages() {
            let Some(key) = decoder.key_of(message)? else {
                passed_over += 1;
                continue;
            };
            match messages.entry(key) {
                Entry::Occupied(naming) => {
                    let naming: &mut Naming = naming.into_mut();
                    naming.more.push(message.id());
                }
                Entry::Vacant(new) => {
                    keys.push(new.key().clone());
                    new.insert(Naming { first: message.id(), more: Vec::new() });
                }
            }
        }
        Ok(Self { keys, messages, passed_over })
    }

    /// Counts the messages that were skipped.
    pub(crate) fn count_passed_over(&self, batch: &Batch) {
        if self.passed_over > 0 {
            let labels = [("stream", batch.stream().to_string()), ("consumer", batch.consumer().to_owned())];
            ::metrics::counter!(metrics::PASSED_OVER, &labels).increment(self.passed_over);
            tracing::debug!(
                stream = %batch.stream(), consumer = batch.consumer(), messages = self.passed_over,
                "messages of other entities passed over"
            );
        }
    }

    /// The keys, in the order in which they were first named.
    pub(crate) fn keys(&self) -> &[Key<E>] {
        &self.keys
    }

    /// The row of the first key turned out to have the second key: a failure of the second then fails the messages that
    /// name the first.
    pub(crate) fn add_alias(&mut self, named: &Key<E>, stored: Key<E>) {
        let Some(naming) = self.messages.get(named).cloned() else { return };
        match self.messages.entry(stored) {
            Entry::Occupied(mut stored) => stored.get_mut().more.extend(naming.ids()),
            Entry::Vacant(new) => _ = new.insert(naming),
        }
    }

    /// A failure of all the messages that name these records; of the whole batch if no message names one of the
    /// records.
    pub(crate) fn failure(&self, keys: &[Key<E>], error: impl Into<BoxError>) -> HandlerError {
        let Some(naming) = keys.iter().map(|key| self.messages.get(key)).collect::<Option<Vec<_>>>() else {
            return HandlerError::new(error);
        };
        HandlerError::only(naming.into_iter().flat_map(Naming::ids), error)
    }
}
