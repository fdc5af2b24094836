//! What the derived `ActiveModelBehavior` does, for applications that write their own: call each function last in the
//! hook of its name, after what gives the model its key or refuses the write.
//!
//! | hook | in a transaction |
//! |---|---|
//! | `before_save`, insert | noted, if the key is known |
//! | `before_save`, update | noted; main message after the commit |
//! | `before_delete` | noted |
//! | the statement | delay messages of what was noted are sent while the database works; if the key is generated: sent when it is known, main message after the commit |
//! | `after_save`, insert; `after_delete` | main message after the commit |
//!
//! What was noted and had no statement to go with is sent by the commit, which waits for it in any case.
//!
//! Outside a transaction the statement after the hook gets a transaction of its own, which does all of that: the hook
//! leaves a permit for its tokio task.
//!
//! An update that sets no column writes nothing, and so announces nothing.

// # Layout
// `lookup` finds the streamed connection behind the one that a hook is given, `task_scope` the scope that it runs in;
// `change`, `follow` and `finish` are the steps of the hooks here, in their order;
// `touch` and `touch_parents` announce records that are not written; `allow_unread` permits statements that the guard
// cannot read.
//
// May use `unit_of_work`, `guard`, `outbox`, `entity`, `fault` and `error`.

mod allow_unread;
mod change;
mod finish;
mod follow;
pub(crate) mod lookup;
pub(crate) mod task_scope;
pub(crate) mod touch;
mod touch_parents;

use redstream_core::NewMessage;
use sea_orm::sea_query::ValueTuple;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, ModelTrait, PrimaryKeyTrait};

pub use self::allow_unread::allow_unread;
pub use self::touch::touch;
pub use self::touch_parents::touch_parents;

use self::change::Change;
use self::finish::{finish, finish_without_stream, parents_were_announced};
use self::follow::{follow, followed};
use self::lookup::{Target, target};
use self::touch_parents::{announce_parents, announce_parents_of_row};
use crate::entity::generated_key::ReadKeys;
use crate::entity::key::is_zero;
use crate::entity::parents::are_known;
use crate::entity::streamed::{Streamed, message, table};
use crate::entity::table_name::TableName;
use crate::error::Error;
use crate::guard::permits::{FollowUp, Permits, WriteKind};
use crate::unit_of_work::hook_calls::Called;

/// Insures what is about to be saved.
///
/// Outside a transaction, the statement that follows returns errors of the insurance.
///
/// # Errors
///
/// Before anything is written: if the connection is not streamed; in a transaction, if Redis did not take its delay
/// messages.
pub async fn before_save<A, C>(model: &A, db: &C, insert: bool) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Streamed,
    C: ConnectionTrait,
{
    let target = target::<A::Entity, C>(db)?;
    let kind = if insert { WriteKind::Insert } else { WriteKind::Update };
    let change = if insert { Change::Announced } else { Change::of(model) };
    let key = model.get_primary_key_value().filter(|key| !(insert && replaced::<A::Entity, C>(key, db)));
    target.calls().note::<A::Entity>(kind, key.clone());
    if change == Change::None {
        return Ok(());
    }
    if change == Change::Announced && are_known::<A::Entity>() {
        Box::pin(announce_parents(model, db, insert)).await?;
    }
    if !A::Entity::HAS_STREAM {
        let known = key.map(message::<A::Entity>).transpose()?;
        announce_statement::<A::Entity>(&target, known, FollowUp::None);
        return Ok(());
    }
    let followed = key.map(|key| followed::<A::Entity>(key, kind, db.get_database_backend())).transpose()?;
    let known = followed.as_ref().map(|followed| followed.message.clone());
    let promise = match (followed, &target) {
        _ if change == Change::Silent => FollowUp::None,
        (Some(followed), _) => follow(followed, &target, db).await?,
        (None, Target::TaskScope(_)) if insert && !is_transaction::<C>() => {
            return Err(Error::UnseenKey { table: table::<A::Entity>() }.into());
        }
        (None, _) if insert => FollowUp::FollowAnswer(ReadKeys::of::<A::Entity>()),
        // SeaORM itself refuses an update without a key.
        (None, _) => return Ok(()),
    };
    announce_statement::<A::Entity>(&target, known, promise);
    Ok(())
}

/// Announces what was inserted, in a transaction after its commit.
///
/// # Errors
///
/// If the connection is not streamed, or the hook before the write was not called although it had to be; if the change
/// cannot be insured.
pub async fn after_save<E, C>(model: &E::Model, db: &C, insert: bool) -> Result<(), DbErr>
where
    E: Streamed,
    C: ConnectionTrait,
{
    let target = target::<E, C>(db)?;
    let kind = if insert { WriteKind::Insert } else { WriteKind::Update };
    let key = model.get_primary_key_value();
    let called = target.calls().take::<E>(kind, &key);
    parents_were_announced::<E>(called)?;
    if insert && are_known::<E>() {
        Box::pin(announce_parents_of_row::<E, C>(model, db, &target)).await?;
    }
    if !E::HAS_STREAM {
        return finish_without_stream::<E>(&target, key);
    }
    let is_done = called == Called::ForThisKey && !insert;
    if is_done && target.permits().is_none_or(Permits::is_empty) {
        // Announced before it, and its statement was seen.
        return Ok(());
    }
    finish::<E>(&target, called, kind, key, db).await
}

/// Insures what is about to be deleted.
///
/// # Errors
///
/// As [`before_save`].
pub async fn before_delete<A, C>(model: &A, db: &C) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Streamed,
    C: ConnectionTrait,
{
    let target = target::<A::Entity, C>(db)?;
    // SeaORM itself refuses a delete without a key.
    let Some(key) = model.get_primary_key_value() else { return Ok(()) };
    target.calls().note::<A::Entity>(WriteKind::Delete, Some(key.clone()));
    if are_known::<A::Entity>() {
        Box::pin(announce_parents(model, db, false)).await?;
    }
    if !A::Entity::HAS_STREAM {
        let known = Some(message::<A::Entity>(key)?);
        announce_statement::<A::Entity>(&target, known, FollowUp::None);
        return Ok(());
    }
    let followed = followed::<A::Entity>(key, WriteKind::Delete, db.get_database_backend())?;
    let known = Some(followed.message.clone());
    let promise = follow(followed, &target, db).await?;
    announce_statement::<A::Entity>(&target, known, promise);
    Ok(())
}

/// Announces what was deleted, in a transaction after its commit.
///
/// # Errors
///
/// As [`after_save`].
pub async fn after_delete<A, C>(model: &A, db: &C) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Streamed,
    C: ConnectionTrait,
{
    let Some(key) = model.get_primary_key_value() else { return Ok(()) };
    let target = target::<A::Entity, C>(db)?;
    let called = target.calls().take::<A::Entity>(WriteKind::Delete, &key);
    parents_were_announced::<A::Entity>(called)?;
    if !A::Entity::HAS_STREAM {
        return finish_without_stream::<A::Entity>(&target, key);
    }
    finish::<A::Entity>(&target, called, WriteKind::Delete, key, db).await
}

/// Announces to the connection the statement that follows the hook.
fn announce_statement<E: EntityTrait>(target: &Target, message: Option<NewMessage>, promise: FollowUp) {
    match target {
        Target::TaskScope(task_scope) => task_scope.told.note(TableName::of::<E>()),
        Target::Autocommit(shared) => shared.permits.give(TableName::of::<E>(), message, promise),
        Target::Transaction(unit) => unit.permits.give(TableName::of::<E>(), message, promise),
    }
}

/// Whether SeaORM's own connection is a transaction, according to its type's name.
fn is_transaction<C>() -> bool {
    std::any::type_name::<C>().ends_with("::DatabaseTransaction")
}

/// Whether the database generates a key in place of this one, as `MySQL` and `MariaDB` do for an `AUTO_INCREMENT` of 0.
fn replaced<E: Streamed, C: ConnectionTrait>(key: &ValueTuple, db: &C) -> bool {
    db.get_database_backend() == DbBackend::MySql
        && <E::PrimaryKey as PrimaryKeyTrait>::auto_increment()
        && is_zero(key)
}
