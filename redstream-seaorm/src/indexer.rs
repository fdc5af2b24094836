//! The indexer: the handler that nearly everybody writes, written once.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use redstream_core::{Batch, DecodeError, Handler, HandlerError, Message};
use sea_orm::sea_query::IntoValueTuple;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Iterable, ModelTrait, QueryFilter};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::keyset::{is_one_of, key_columns};
use crate::{Changes, Key, KeyOf, Sink, Streamed};

/// How many keys one query asks for: below every database's limit of parameters, and, where a key has several columns,
/// below SQLite's limit of nested expressions.
const KEYS_A_QUERY: usize = 5000;
const COMPOSITE_KEYS_A_QUERY: usize = 400;

/// Carries the rows that a batch of messages names to a [`Sink`].
///
/// It decodes the keys, drops doubles, takes the batch's version, reads the rows from the primary database in one
/// query, and hands them over as upserts (found) and deletes (missing).
///
/// ```no_run
/// # mod city {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
/// #     #[sea_orm(table_name = "cities")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// # }
/// use redstream_seaorm::{Changes, HandlerError, Indexer, Sink, Stream};
///
/// struct Printer;
///
/// #[async_trait::async_trait]
/// impl Sink<city::Entity> for Printer {
///     async fn write(&self, changes: Changes<city::Entity>) -> Result<(), HandlerError> {
///         println!("{} rows to write, {} keys to remove", changes.upserts.len(), changes.deletes.len());
///         Ok(())
///     }
/// }
///
/// # fn example(cities: Stream, primary: sea_orm::DatabaseConnection) {
/// let consumer = cities.consumer("printer", Indexer::new(primary, Printer));
/// # }
/// ```
pub struct Indexer<E, C, S> {
    primary: C,
    sink: S,
    entity: PhantomData<fn() -> E>,
}

impl<E, C, S> Indexer<E, C, S>
where
    E: Streamed,
    C: ConnectionTrait,
    S: Sink<E>,
{
    /// Reads from `primary`, writes to `sink`.
    ///
    /// `primary` must be the primary database itself, not a replica that lags: a row that is read too early is written with
    /// a version that is too new for it.
    pub fn new(primary: C, sink: S) -> Self {
        Self { primary, sink, entity: PhantomData }
    }

    /// The sink.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// The rows of these keys, in no order; fewer where some are gone.
    async fn rows(&self, keys: &[Key<E>]) -> Result<Vec<E::Model>, DbErr> {
        let chunk = if E::PrimaryKey::iter().count() == 1 { KEYS_A_QUERY } else { COMPOSITE_KEYS_A_QUERY };
        let mut rows = Vec::with_capacity(keys.len());
        for keys in keys.chunks(chunk) {
            rows.extend(E::find().filter(is_one_of::<E>(keys)).all(&self.primary).await?);
        }
        Ok(rows)
    }
}

#[async_trait]
impl<E, C, S> Handler for Indexer<E, C, S>
where
    E: Streamed,
    E::Model: Sync,
    KeyOf<E>: DeserializeOwned + IntoValueTuple,
    C: ConnectionTrait + Send + Sync + 'static,
    S: Sink<E>,
{
    /// A payload that holds no key of `E` is a [`DecodeError`], and so becomes a dead letter.
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        let mut known = HashSet::new();
        let mut keys = Vec::with_capacity(batch.len());
        for message in batch.messages() {
            let key = key_of::<E>(message)?;
            if known.insert(key.to_json().to_string()) {
                keys.push(key);
            }
        }
        // Before the first row is read, so that the rows are at least as new as it says.
        let version = batch.version().await?;
        let upserts = self.rows(&keys).await?;
        let found: HashSet<String> = upserts.iter().map(|row| text::<E>(row)).collect();
        keys.retain(|key| !found.contains(&key.to_json().to_string()));
        self.sink.write(Changes { upserts, deletes: keys, version }).await
    }
}

fn text<E: Streamed>(row: &E::Model) -> String {
    Key::<E>::from_values(row.get_primary_key_value()).to_json().to_string()
}

/// The key that a message names: the key's columns, by name, of a JSON object.
fn key_of<E>(message: &Message) -> Result<Key<E>, DecodeError>
where
    E: EntityTrait,
    KeyOf<E>: DeserializeOwned + IntoValueTuple,
{
    let payload: Json = message.payload()?;
    let mut values: Vec<Json> =
        key_columns::<E>().map(|column| payload.get(column).cloned().unwrap_or_default()).collect();
    let value = if values.len() == 1 { values.swap_remove(0) } else { Json::Array(values) };
    let key =
        serde_json::from_value::<KeyOf<E>>(value).map_err(|source| DecodeError::Json { id: message.id(), source })?;
    Ok(Key::new(key))
}

impl<E, C, S: fmt::Debug> fmt::Debug for Indexer<E, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Indexer").field("sink", &self.sink).finish_non_exhaustive()
    }
}
