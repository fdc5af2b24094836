//! The parents that an entity declares, and their messages when its rows are written.

use std::collections::HashSet;
use std::fmt;
use std::iter;

use redstream_core::NewMessage;
use sea_orm::sea_query::Condition;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IdenStatic, ModelTrait, QueryFilter, QuerySelect, Related,
    Value,
};

use crate::entity::key::Key;
use crate::entity::key_query::{columns, is_one_of, keys_a_statement};
use crate::entity::relation::{columns_of, is_the_key};
use crate::entity::streamed::{Streamed, message, table};
use crate::error::{Error, ParentFault};

/// A parent whose documents contain data of its children `Ch`, so that writes of a child announce it; one of
/// [`Streamed::parents`].
pub struct Parent<Ch: EntityTrait> {
    /// The child's columns that hold the parent's key; `None` if the relation is of another kind.
    foreign_key: Option<Vec<Ch::Column>>,
    /// The parent's table, as errors name it.
    table: fn() -> String,
    /// The parent's message, from the values of these columns; `None` if one is NULL or not set.
    message: fn(&mut Values<'_>) -> Option<Result<NewMessage, DbErr>>,
}

/// The columns of a foreign key.
type Values<'a> = dyn Iterator<Item = Option<Value>> + 'a;

impl<Ch: EntityTrait> Parent<Ch> {
    /// The parent `P`, by SeaORM's relation from the child to it: `Parent::of::<author::Entity>()`.
    ///
    /// The relation must lead from columns of the child to the parent's key, of the same type or an `Option` of it, or
    /// both must be integers; otherwise every write of a child errors.
    pub fn of<P>() -> Self
    where
        P: Streamed,
        Ch: Related<P>,
    {
        let relation = <Ch as Related<P>>::to();
        let foreign_key = columns_of::<Ch>(&relation.from_col)
            .filter(|_| is_the_key::<P>(&relation.to_col) && <Ch as Related<P>>::via().is_none());
        Self { foreign_key, table: table::<P>, message: message_of::<P> }
    }

    pub(crate) fn table(&self) -> String {
        (self.table)()
    }

    fn foreign_key(&self) -> Result<&[Ch::Column], DbErr> {
        let not_straight = || refused(ParentFault::Relation);
        self.foreign_key.as_deref().ok_or_else(not_straight)
    }

    fn of_row(&self, row: &Ch::Model) -> Result<Option<NewMessage>, DbErr> {
        let columns = self.foreign_key()?;
        (self.message)(&mut columns.iter().map(|column| Some(row.get(*column)))).transpose()
    }

    fn of_model(&self, model: &impl ActiveModelTrait<Entity = Ch>) -> Result<Option<NewMessage>, DbErr> {
        let columns = self.foreign_key()?;
        (self.message)(&mut columns.iter().map(|column| model.get(*column).into_value())).transpose()
    }
}

fn message_of<P: Streamed>(values: &mut Values<'_>) -> Option<Result<NewMessage, DbErr>> {
    parent::<P>(values).map(|key| Ok(message::<P>(key?.values().clone())?))
}

impl<Ch: EntityTrait> fmt::Debug for Parent<Ch> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<_> = self.foreign_key.iter().flatten().map(IdenStatic::as_str).collect();
        f.debug_struct("Parent").field("foreign_key", &columns).finish_non_exhaustive()
    }
}

/// Whether the entity declares parents, so that their messages must be made.
pub(crate) fn are_known<E: Streamed>() -> bool {
    !E::parents().is_empty()
}

/// Whether this column is part of a parent's key.
pub(crate) fn leads_to_parent<E: Streamed>(column: &E::Column) -> bool {
    E::parents()
        .iter()
        .filter_map(|parent| parent.foreign_key.as_ref())
        .flatten()
        .any(|of| of.as_str() == column.as_str())
}

/// The messages of the parents that these models name. A column that is not set names none.
pub(crate) fn of_models<E: Streamed>(
    models: &[impl ActiveModelTrait<Entity = E>],
) -> Result<HashSet<NewMessage>, DbErr> {
    let mut messages = HashSet::new();
    for parent in E::parents() {
        for model in models {
            messages.extend(parent.of_model(model)?);
        }
    }
    Ok(messages)
}

/// The messages of the parents of this row.
pub(crate) fn of_row<E: Streamed>(row: &E::Model) -> Result<HashSet<NewMessage>, DbErr> {
    let parents = E::parents();
    let messages = parents.iter().filter_map(|parent| parent.of_row(row).transpose());
    messages.collect()
}

/// The messages of the parents of the rows that meet this, as the database has them. The rows are locked if the
/// database can do so.
pub(crate) async fn of_rows<E: Streamed>(
    db: &impl ConnectionTrait,
    rows: Condition,
) -> Result<HashSet<NewMessage>, DbErr> {
    let mut messages = HashSet::new();
    let parents = E::parents();
    if parents.is_empty() {
        return Ok(messages);
    }
    let rows = E::find().filter(rows).lock_exclusive().all(db).await?;
    for parent in parents {
        for row in &rows {
            messages.extend(parent.of_row(row)?);
        }
    }
    Ok(messages)
}

/// The same for the rows of these keys.
pub(crate) async fn of_keys<E: Streamed>(
    db: &impl ConnectionTrait,
    keys: &[Key<E>],
) -> Result<HashSet<NewMessage>, DbErr> {
    let mut messages = HashSet::new();
    if are_known::<E>() {
        for keys in keys.chunks(keys_a_statement::<E>()) {
            messages.extend(of_rows::<E>(db, is_one_of(keys)).await?);
        }
    }
    Ok(messages)
}

/// The parent's key, from a foreign key's values; `None` if one is missing. An integer of another type becomes an
/// integer of the key's type.
pub(crate) fn parent<P: EntityTrait>(values: impl Iterator<Item = Option<Value>>) -> Option<Result<Key<P>, DbErr>> {
    let values = values.map(|value| value.filter(|value| *value != value.as_null())).collect::<Option<Vec<_>>>()?;
    let mut parent = <P::ActiveModel as ActiveModelTrait>::default();
    for (column, value) in columns::<P>().into_iter().zip(values) {
        let mut forms = iter::once(value.clone()).chain(integers(&value));
        if !forms.any(|form| parent.try_set(column, form).is_ok()) {
            return Some(Err(refused(ParentFault::ForeignKey)));
        }
    }
    parent.get_primary_key_value().map(Key::from_values).map(Ok)
}

/// An integer in each type that can represent it.
fn integers(value: &Value) -> impl Iterator<Item = Value> {
    let integer: Option<i128> = match *value {
        Value::TinyInt(integer) => integer.map(i128::from),
        Value::SmallInt(integer) => integer.map(i128::from),
        Value::Int(integer) => integer.map(i128::from),
        Value::BigInt(integer) => integer.map(i128::from),
        Value::TinyUnsigned(integer) => integer.map(i128::from),
        Value::SmallUnsigned(integer) => integer.map(i128::from),
        Value::Unsigned(integer) => integer.map(i128::from),
        Value::BigUnsigned(integer) => integer.map(i128::from),
        _ => None,
    };
    integer.into_iter().flat_map(|integer| {
        let signed = [
            i64::try_from(integer).ok().map(Value::from),
            i32::try_from(integer).ok().map(Value::from),
            i16::try_from(integer).ok().map(Value::from),
            i8::try_from(integer).ok().map(Value::from),
        ];
        let unsigned = [
            u64::try_from(integer).ok().map(Value::from),
            u32::try_from(integer).ok().map(Value::from),
            u16::try_from(integer).ok().map(Value::from),
            u8::try_from(integer).ok().map(Value::from),
        ];
        signed.into_iter().chain(unsigned).flatten()
    })
}

pub(crate) fn refused(fault: ParentFault) -> DbErr {
    Error::Parent { fault }.into()
}
