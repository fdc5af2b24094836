//! Announces the parents of a child that is saved, moved or deleted.

use std::collections::HashSet;

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, ModelTrait, QueryFilter, QuerySelect, Related};

use crate::entity::key::Key;
use crate::entity::key_query::is_one_of;
use crate::entity::parents::{are_known, of_models, of_row, of_rows, parent, refused};
use crate::entity::relation::{columns_of, is_the_key};
use crate::entity::streamed::Streamed;
use crate::error::ParentFault;
use crate::hooks::lookup::{Target, target};
use crate::hooks::touch::{announce, touch};

/// [Touches](touch) the parents `P` of a child that is about to be saved or deleted, for documents of the parents that
/// contain data of their children: the parent that it had until now, and the one that it will have.
///
/// `#[streamed(parents(author::Entity))]` does the same without code; this is for applications that choose the parents
/// themselves.
///
/// A message carries a key and no values, so after a child has moved its former parent is not known. Call this first in
/// the child's `before_save`, and in `before_delete` with `insert` false; the derive leaves these to you with
/// `#[streamed(manual)]`. An insert has no old parent, and runs no query.
///
/// Only within a transaction: there the child's row is read and locked, so that it cannot be moved in between, and the
/// parents are announced after the commit.
///
/// # Errors
///
/// Before the write, outside a transaction; and if the relation does not lead from columns of the child to the parent's
/// key, of the same type or an `Option` of it, or both integers.
///
/// # Example
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
    if let Target::Autocommit(_) = target::<P, C>(db)? {
        return Err(refused(ParentFault::TouchOutsideTransaction));
    }
    let relation = <A::Entity as Related<P>>::to();
    let foreign_key = columns_of::<A::Entity>(&relation.from_col)
        .filter(|_| is_the_key::<P>(&relation.to_col) && <A::Entity as Related<P>>::via().is_none())
        .ok_or_else(|| refused(ParentFault::Relation))?;
    let mut parents = HashSet::new();
    if !insert && let Some(key) = child.get_primary_key_value() {
        parents.extend(parent_until_now::<P, A::Entity>(Key::from_values(key), &foreign_key, db).await?);
    }
    parents.extend(parent_from_now_on::<P, A>(child, &foreign_key)?);
    touch(db, parents).await
}

/// As the database has it; the child's row is locked from here on, if the database can.
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

/// The parent in the model; `None` if it is not set, or there is none.
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

/// Called by a hook before a child is saved or deleted: announces the parents that it has in the database, and those
/// that the model names. The child's row is locked from here on, if the database can.
pub(crate) async fn announce_parents<A, C>(child: &A, db: &C, insert: bool) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Streamed,
    C: ConnectionTrait,
{
    if !are_known::<A::Entity>() {
        return Ok(());
    }
    let target = target::<A::Entity, C>(db)?;
    if let Target::Autocommit(_) = target {
        return Err(refused(ParentFault::WriteOutsideTransaction));
    }
    let mut messages = of_models::<A::Entity>(std::slice::from_ref(child))?;
    if !insert && let Some(key) = child.get_primary_key_value() {
        messages.extend(of_rows::<A::Entity>(db, is_one_of(&[Key::<A::Entity>::from_values(key)])).await?);
    }
    announce(db, &target, messages.into_iter().collect()).await
}

/// Called by a hook after a child is inserted: announces the parents that it has, which may differ from those in the
/// model (a default, a trigger).
pub(crate) async fn announce_parents_of_row<E, C>(row: &E::Model, db: &C, target: &Target) -> Result<(), DbErr>
where
    E: Streamed,
    C: ConnectionTrait,
{
    announce(db, target, of_row::<E>(row)?.into_iter().collect()).await
}
