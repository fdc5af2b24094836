//! A child that is saved, moved or deleted, and the documents of its parents.

mod announced;

use std::collections::HashSet;
use std::iter;

pub use self::announced::Parent;
pub(crate) use self::announced::{announce_parents, are_known, leads_to_parent, of_keys, of_models};

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, ModelTrait, QueryFilter, QuerySelect, Related, Value,
};

use crate::cascade::{columns_of, is_the_key};
use crate::hooks::tracked;
use crate::keyset::{columns, is_one_of};
use crate::probe::Tracked;
use crate::touch::touch;
use crate::{Error, Key, Streamed};

/// [Touches](touch) the parents `P` of a child that is about to be saved or deleted, for documents of the parents that hold
/// something of their children: the parent it had until now, and the one it is going to have.
///
/// `#[streamed(parents(author::Entity))]` does the same without a line of code; this is for those who choose the parents
/// themselves.
///
/// A message carries a key and no values, so once a child has moved nobody could tell where from. Call it first in the
/// child's `before_save`, and in `before_delete` with `insert` false; the derive leaves these to you with
/// `#[streamed(manual)]`. An insert has no old parent, and asks the database nothing.
///
/// Only within a transaction: there the child's row is read and locked, so that no other move slips in between, and the parents
/// are announced after the commit. Elsewhere it errors, before the write.
///
/// The relation must lead from columns of the child to the parent's key, of the same type or an `Option` of it, or both of
/// integers; else it errors.
///
/// ```
/// # fn main() {}
/// # mod author {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
/// #     #[sea_orm(table_name = "authors")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// # }
/// mod book {
///     use redstream_seaorm::{Streamed, hooks};
///     use sea_orm::entity::prelude::*;
///
///     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
///     #[sea_orm(table_name = "books")]
///     #[streamed(manual)]
///     pub struct Model {
///         #[sea_orm(primary_key)]
///         pub id: i64,
///         pub title: String,
///         pub author_id: i64,
///     }
///
///     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
///     pub enum Relation {
///         #[sea_orm(belongs_to = "super::author::Entity", from = "Column::AuthorId", to = "super::author::Column::Id")]
///         Author,
///     }
///
///     impl Related<super::author::Entity> for Entity {
///         fn to() -> RelationDef {
///             Relation::Author.def()
///         }
///     }
///
///     #[async_trait::async_trait]
///     impl ActiveModelBehavior for ActiveModel {
///         async fn before_save<C: ConnectionTrait>(self, db: &C, insert: bool) -> Result<Self, DbErr> {
///             hooks::touch_parents::<super::author::Entity, _, _>(&self, db, insert).await?;
///             hooks::before_save(&self, db, insert).await?;
///             Ok(self)
///         }
///
///         async fn after_save<C: ConnectionTrait>(model: Model, db: &C, insert: bool) -> Result<Model, DbErr> {
///             hooks::after_save::<Entity, C>(&model, db, insert).await?;
///             Ok(model)
///         }
///
///         async fn before_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
///             hooks::touch_parents::<super::author::Entity, _, _>(&self, db, false).await?;
///             hooks::before_delete(&self, db).await?;
///             Ok(self)
///         }
///
///         async fn after_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
///             hooks::after_delete(&self, db).await?;
///             Ok(self)
///         }
///     }
/// }
/// ```
pub async fn touch_parents<P, A, C>(child: &A, db: &C, insert: bool) -> Result<(), DbErr>
where
    P: Streamed,
    A: ActiveModelTrait,
    A::Entity: Streamed + Related<P>,
    C: ConnectionTrait,
{
    if let Tracked::Autocommit(_) = tracked::<P, C>(db)? {
        return Err(refused(
            "parents can only be touched in a transaction: begin one, or use `insert_tx` and the like",
        ));
    }
    let relation = <A::Entity as Related<P>>::to();
    let foreign_key = columns_of::<A::Entity>(&relation.from_col)
        .filter(|_| is_the_key::<P>(&relation.to_col) && <A::Entity as Related<P>>::via().is_none())
        .ok_or_else(|| refused("the relation does not lead from the child to the parent's key"))?;
    let mut parents = HashSet::new();
    if !insert && let Some(key) = child.get_primary_key_value() {
        parents.extend(parent_until_now::<P, A::Entity>(Key::from_values(key), &foreign_key, db).await?);
    }
    parents.extend(parent_from_now_on::<P, A>(child, &foreign_key)?);
    touch(db, parents).await
}

/// As the database has it; the child's row is locked from here on, where the database can.
async fn parent_until_now<P, Ch>(
    child: Key<Ch>,
    foreign_key: &[Ch::Column],
    db: &impl ConnectionTrait,
) -> Result<Option<Key<P>>, DbErr>
where
    P: EntityTrait,
    Ch: EntityTrait,
{
    let row = Ch::find().filter(is_one_of(&[child])).lock_exclusive().one(db).await?;
    row.and_then(|row| parent(foreign_key.iter().map(|column| Some(row.get(*column))))).transpose()
}

/// As the model has it; `None` where it says nothing, or has no parent.
fn parent_from_now_on<P, A>(
    child: &A,
    foreign_key: &[<A::Entity as EntityTrait>::Column],
) -> Result<Option<Key<P>>, DbErr>
where
    P: EntityTrait,
    A: ActiveModelTrait,
{
    parent(foreign_key.iter().map(|column| child.get(*column).into_value())).transpose()
}

/// The parent's key, of a foreign key's values; `None` where one is missing. An integer of another type becomes one of the
/// key's own.
fn parent<P: EntityTrait>(values: impl Iterator<Item = Option<Value>>) -> Option<Result<Key<P>, DbErr>> {
    let values = values.map(|value| value.filter(|value| *value != value.as_null())).collect::<Option<Vec<_>>>()?;
    let mut parent = <P::ActiveModel as ActiveModelTrait>::default();
    for (column, value) in columns::<P>().into_iter().zip(values) {
        let mut forms = iter::once(value.clone()).chain(integers(&value));
        if !forms.any(|form| parent.try_set(column, form).is_ok()) {
            return Some(Err(refused("the foreign key's value cannot be a key of the parent")));
        }
    }
    parent.get_primary_key_value().map(Key::from_values).map(Ok)
}

/// An integer in each type that can hold it.
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

fn refused(reason: &'static str) -> DbErr {
    Error::Parent { reason }.into()
}
