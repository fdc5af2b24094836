//! The parents that an entity declares, and their messages when its rows are written.

use std::collections::HashSet;
use std::fmt;

use redstream_core::NewMessage;
use sea_orm::sea_query::Condition;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IdenStatic, ModelTrait, QueryFilter, QuerySelect, Related,
    Value,
};

use super::{parent, refused};
use crate::cascade::{columns_of, is_the_key};
use crate::hooks::tracked;
use crate::keyset::{is_one_of, keys_a_statement};
use crate::probe::Tracked;
use crate::streamed::message;
use crate::touch::announce;
use crate::{Key, Streamed};

/// A parent whose documents hold something of its children `Ch`, so that writes of a child announce it; one of
/// [`Streamed::parents`].
pub struct Parent<Ch: EntityTrait> {
    /// The child's columns that hold the parent's key; `None` if the relation is of another kind.
    foreign_key: Option<Vec<Ch::Column>>,
    /// The parent's message, of the values of these columns; `None` if one is NULL or not set.
    message: fn(&mut Values<'_>) -> Option<Result<NewMessage, DbErr>>,
}

/// Of a foreign key's columns.
type Values<'a> = dyn Iterator<Item = Option<Value>> + 'a;

impl<Ch: EntityTrait> Parent<Ch> {
    /// The parent `P`, by SeaORM's relation from the child to it: `Parent::of::<author::Entity>()`.
    ///
    /// The relation must lead from columns of the child to the parent's key, of the same type or an `Option` of it, or both of
    /// integers; else every write of a child errors.
    pub fn of<P>() -> Self
    where
        P: Streamed,
        Ch: Related<P>,
    {
        let relation = <Ch as Related<P>>::to();
        let foreign_key = columns_of::<Ch>(&relation.from_col)
            .filter(|_| is_the_key::<P>(&relation.to_col) && <Ch as Related<P>>::via().is_none());
        Self { foreign_key, message: message_of::<P> }
    }

    fn foreign_key(&self) -> Result<&[Ch::Column], DbErr> {
        let not_straight = || refused("the relation does not lead from the child to the parent's key");
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

/// Whether the entity declares parents, so that their messages are to be made.
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

/// What a hook does before a child is saved or deleted: announces the parents that it has in the database, and those that the
/// model names. The child's row is locked from here on, where the database can.
pub(crate) async fn announce_parents<A, C>(child: &A, db: &C, insert: bool) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Streamed,
    C: ConnectionTrait,
{
    if !are_known::<A::Entity>() {
        return Ok(());
    }
    let tracked = tracked::<A::Entity, C>(db)?;
    if let Tracked::Autocommit(_) = tracked {
        return Err(refused(
            "this entity announces its parents, which it can only do in a transaction: begin one, or use `insert_tx` and \
             the like",
        ));
    }
    let mut messages = of_models::<A::Entity>(std::slice::from_ref(child))?;
    if !insert && let Some(key) = child.get_primary_key_value() {
        messages.extend(of_rows::<A::Entity>(db, is_one_of(&[Key::<A::Entity>::from_values(key)])).await?);
    }
    announce(db, &tracked, messages.into_iter().collect()).await
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

/// The messages of the parents of the rows that meet this, as the database has them. The rows are locked, where the database
/// can.
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
