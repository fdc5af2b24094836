//! Reads keys back from payloads.

use std::marker::PhantomData;
use std::sync::OnceLock;

use sea_orm::sea_query::Value;
use sea_orm::{ActiveModelTrait, EntityTrait, IdenStatic};
use serde_json::Value as Json;

use super::kind::{KINDS, Kind};
use crate::entity::key::Key;
use crate::entity::key_query::columns;

/// Reads keys of `E` from objects of the key's columns.
pub(crate) struct KeyReader<E: EntityTrait> {
    columns: Vec<Column<E::Column>>,
    entity: PhantomData<fn() -> E>,
}

struct Column<C> {
    column: C,
    /// The kind of value of the column's Rust type, once it is known.
    kind: OnceLock<&'static Kind>,
}

impl<E: EntityTrait> KeyReader<E> {
    /// Finds out which kind each column takes: the entity's active model accepts one kind of value only, also through
    /// newtypes. An enum accepts no sample; its kind is found with the first key that is read.
    pub(crate) fn new() -> Self {
        let known = |column: E::Column| {
            let sample = |kind: &Kind| serde_json::from_str(kind.sample).ok().and_then(|json| (kind.read)(&json));
            let accepts = |kind: &&Kind| sample(kind).is_some_and(|value| set::<E>(column, value).is_some());
            Column { column, kind: KINDS.iter().find(accepts).map_or_else(OnceLock::new, OnceLock::from) }
        };
        Self { columns: columns::<E>().into_iter().map(known).collect(), entity: PhantomData }
    }

    /// Errors with what is wrong, and in which column.
    pub(crate) fn read(&self, payload: &Json) -> Result<Key<E>, String> {
        let mut model = <E::ActiveModel as ActiveModelTrait>::default();
        for Column { column, kind } in &self.columns {
            let json = payload.get(column.as_str()).ok_or_else(|| missing(column.as_str(), payload))?;
            let mut accept = |kind: &Kind| (kind.read)(json).is_some_and(|value| model.try_set(*column, value).is_ok());
            if let Some(kind) = kind.get() {
                if !accept(kind) {
                    return Err(format!("column `{}`: expected {}, found {json}", column.as_str(), kind.title));
                }
            } else if let Some(found) = KINDS.iter().find(|kind| accept(kind)) {
                _ = kind.set(found);
            } else {
                return Err(format!("column `{}`: {json} is no value of its type", column.as_str()));
            }
        }
        model.get_primary_key_value().map(Key::from_values).ok_or_else(|| "the entity has no primary key".to_owned())
    }
}

/// The value as the entity has it, if its column takes it.
fn set<E: EntityTrait>(column: E::Column, value: Value) -> Option<Value> {
    let mut model = <E::ActiveModel as ActiveModelTrait>::default();
    model.try_set(column, value).ok()?;
    model.get(column).into_value()
}

fn missing(column: &str, payload: &Json) -> String {
    format!("column `{column}` is missing in {payload}")
}
