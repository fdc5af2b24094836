//! Which records the messages of a batch name.

use std::collections::HashMap;
use std::sync::Arc;

use redstream_core::{Batch, BoxError, DecodeError, HandlerError, Message, MessageId};
use sea_orm::EntityTrait;
use sea_orm::sea_query::IntoValueTuple;
use serde::de::Error as _;
use serde_json::Value as Json;

use crate::key::KeyReader;
use crate::{Key, KeyOf};

/// Reads the key back that a payload was made of.
pub(crate) struct Decoder<E>(Arc<dyn Fn(Json) -> Result<Key<E>, serde_json::Error> + Send + Sync>);

impl<E: EntityTrait> Decoder<E> {
    /// The key's columns, by name, of a JSON object.
    pub(crate) fn columns() -> Self {
        let reader = KeyReader::new();
        Self(Arc::new(move |payload| reader.read(&payload).map_err(serde_json::Error::custom)))
    }

    /// As the user says.
    pub(crate) fn by<F>(decode: F) -> Self
    where
        F: Fn(Json) -> Result<KeyOf<E>, BoxError> + Send + Sync + 'static,
    {
        Self(Arc::new(move |payload| match decode(payload) {
            Ok(key) => Ok(Key::from_values(key.into_value_tuple())),
            Err(error) => Err(error.downcast().map_or_else(serde_json::Error::custom, |error| *error)),
        }))
    }

    fn key_of(&self, message: &Message) -> Result<Key<E>, DecodeError> {
        (self.0)(message.payload()?).map_err(|source| DecodeError::Json { id: message.id(), source })
    }
}

/// The records that a batch names, each once, and the messages that name them.
pub(crate) struct Named<E> {
    keys: Vec<Key<E>>,
    messages: HashMap<Key<E>, Vec<MessageId>>,
}

impl<E: EntityTrait> Named<E> {
    /// Errors with the first message that names no record.
    pub(crate) fn in_batch(batch: &Batch, decoder: &Decoder<E>) -> Result<Self, DecodeError> {
        let (mut keys, mut messages) = (Vec::with_capacity(batch.len()), HashMap::<_, Vec<_>>::new());
        for message in batch.messages() {
            let key = decoder.key_of(message)?;
            let naming = messages.entry(key.clone()).or_default();
            if naming.is_empty() {
                keys.push(key);
            }
            naming.push(message.id());
        }
        Ok(Self { keys, messages })
    }

    /// The keys, in the order in which they were first named.
    pub(crate) fn keys(&self) -> &[Key<E>] {
        &self.keys
    }

    /// The record that one key names has another key: what fails for that one fails for the messages that name this.
    pub(crate) fn add_alias(&mut self, named: &Key<E>, stored: Key<E>) {
        if let Some(messages) = self.messages.get(named).cloned() {
            self.messages.entry(stored).or_default().extend(messages);
        }
    }

    /// A failure of all the messages that name these records; of the whole batch if a record is not named by any.
    pub(crate) fn failure(&self, keys: &[Key<E>], error: impl Into<BoxError>) -> HandlerError {
        let Some(naming) = keys.iter().map(|key| self.messages.get(key)).collect::<Option<Vec<_>>>() else {
            return HandlerError::new(error);
        };
        HandlerError::only(naming.into_iter().flatten().copied(), error)
    }
}
