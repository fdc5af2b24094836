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
// `touch` and `touch_parents` announce records that are not written; `allow_unread` permits statements that the guard
// cannot read.
//
// May use `unit_of_work`, `guard`, `outbox`, `entity`, `fault` and `error`.

mod allow_unread;
pub(crate) mod lookup;
pub(crate) mod task_scope;
pub(crate) mod touch;
mod touch_parents;

use std::sync::Arc;

use redstream_core::NewMessage;
use sea_orm::sea_query::ValueTuple;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, Iterable, ModelTrait, PrimaryKeyToColumn,
    PrimaryKeyTrait,
};

pub use self::allow_unread::allow_unread;
pub use self::touch::touch;
pub use self::touch_parents::touch_parents;

use self::lookup::{Target, target};
use self::task_scope::TaskScope;
use self::touch_parents::{announce_parents, announce_parents_of_row};
use crate::entity::generated_key::ReadKeys;
use crate::entity::key::{has_zero, is_zero};
use crate::entity::parents::{are_known, leads_to_parent};
use crate::entity::stored_key::{StoredKey, check_zone, is_exact};
use crate::entity::streamed::{Streamed, message, table};
use crate::entity::table_name::TableName;
use crate::error::Error;
use crate::guard::permits::{FollowUp, Followed, Left, Permits, WriteKind};
use crate::outbox;
use crate::unit_of_work::UnitOfWork;
use crate::unit_of_work::delay_pipeline::InsuredBy;
use crate::unit_of_work::hook_calls::Called;
use crate::unit_of_work::shared::Shared;

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

/// A write whose key is known.
fn followed<E: Streamed>(key: ValueTuple, kind: WriteKind, backend: DbBackend) -> Result<Followed, Error> {
    if kind != WriteKind::Delete {
        check_zone::<E>(&key, backend)?;
    }
    let may_be_replaced = kind == WriteKind::Insert && backend == DbBackend::MySql && has_zero(&key);
    let is_read = may_be_replaced || !is_exact::<E>(&key, backend);
    let stored = is_read.then(|| StoredKey::of::<E>(key.clone()));
    Ok(Followed { message: message::<E>(key.clone())?, key, kind, keys: ReadKeys::of::<E>(), stored })
}

/// Insures what can be insured before the statement; the rest is returned as a promise.
async fn follow(followed: Followed, target: &Target, db: &impl ConnectionTrait) -> Result<FollowUp, DbErr> {
    let Followed { message, kind, stored, .. } = &followed;
    match target {
        Target::Autocommit(_) => Ok(FollowUp::Follow(followed)),
        Target::Transaction(unit) if stored.is_some() => {
            unit.note(message.clone(), false)?;
            Ok(FollowUp::Follow(followed))
        }
        Target::Transaction(unit) => {
            unit.note(message.clone(), *kind == WriteKind::Update)?;
            Ok(FollowUp::None)
        }
        Target::TaskScope(task_scope) => {
            Box::pin(follow_in_a_scope(&followed, task_scope, db)).await?;
            Ok(FollowUp::None)
        }
    }
}

/// Insures a write at once, and defers its announcement to the end of the scope.
async fn follow_in_a_scope(
    followed: &Followed,
    task_scope: &TaskScope,
    db: &impl ConnectionTrait,
) -> Result<(), DbErr> {
    let Followed { message, kind, stored, .. } = followed;
    task_scope.insure(message).await?;
    let mut before = match stored.as_ref().filter(|_| *kind != WriteKind::Insert) {
        Some(stored) => stored.look_up_and_lock(db).await?,
        None => Vec::new(),
    };
    if before.is_empty() && *kind == WriteKind::Update {
        before.push(message.clone());
    }
    for message in before {
        task_scope.insure(&message).await?;
        task_scope.announce_later(message);
    }
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

/// The hook before a write announces parents: after the write, the parents that the row had are no longer known.
fn parents_were_announced<E: Streamed>(called: Called) -> Result<(), Error> {
    if called == Called::Never && are_known::<E>() {
        return Err(Error::HookMissed { table: table::<E>() });
    }
    Ok(())
}

/// After a write of a row that only announces its parents.
fn finish_without_stream<E: Streamed>(target: &Target, key: ValueTuple) -> Result<(), DbErr> {
    let message = message::<E>(key)?;
    if let Some(permits) = target.permits() {
        permits.withdraw(&TableName::of::<E>(), &message);
    }
    Ok(())
}

/// Finishes after a write of the row of this key.
async fn finish<E: Streamed>(
    target: &Target,
    called: Called,
    kind: WriteKind,
    key: ValueTuple,
    db: &impl ConnectionTrait,
) -> Result<(), DbErr> {
    // Rows that were found by the key of a delete have been announced under their stored keys.
    let is_done_before = match kind {
        WriteKind::Insert => false,
        WriteKind::Update => true,
        WriteKind::Delete => !is_exact::<E>(&key, db.get_database_backend()),
    };
    let message = message::<E>(key)?;
    let left = target.permits().and_then(|permits| permits.withdraw(&TableName::of::<E>(), &message));
    // Whether this task ran a statement that was not recognized as the promised one.
    let promised = match left {
        Some(Left { promise: FollowUp::Follow(_) | FollowUp::FollowAnswer(_), passed }) => Some(passed),
        _ => None,
    };
    let is_seen = called == Called::ForThisKey && is_done_before;
    match target {
        Target::Autocommit(shared) if called == Called::Never => {
            shared.guard.hook_missed(&TableName::of::<E>());
            Box::pin(follow_late(shared, message, db)).await
        }
        Target::Autocommit(shared) => match promised {
            Some(passed) => {
                shared.guard.ran_late(&TableName::of::<E>(), passed);
                Box::pin(follow_late(shared, message, db)).await
            }
            None => Ok(()),
        },
        Target::Transaction(_) if is_seen && promised.is_none() => Ok(()),
        Target::Transaction(unit) => {
            unit.insure([message.clone()])?;
            unit.announce_later([message]);
            Ok(())
        }
        Target::TaskScope(_) if is_seen => Ok(()),
        Target::TaskScope(task_scope) => {
            Box::pin(task_scope.insure(&message)).await?;
            task_scope.announce_later(message);
            Ok(())
        }
    }
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

/// Insures and announces, late, a statement that was not seen in this task, or that no hook before it had announced.
async fn follow_late(shared: &Arc<Shared>, message: NewMessage, db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let unit = UnitOfWork::outermost(shared.clone());
    unit.insure([message.clone()])?;
    match unit.delays.insured_by().await? {
        InsuredBy::Redis => _ = shared.announce(vec![message], false).await,
        InsuredBy::Outbox => {
            let messages = [message];
            outbox::write(db, &messages).await?;
            shared.leave_to_relays(&messages);
        }
    }
    Ok(())
}

/// What an update does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// It sets nothing: SeaORM sends no statement.
    None,
    /// It sets only columns that are not watched.
    Silent,
    Announced,
}

impl Change {
    fn of<A>(model: &A) -> Self
    where
        A: ActiveModelTrait,
        A::Entity: Streamed,
    {
        let mut change = Self::None;
        for column in <A::Entity as EntityTrait>::Column::iter() {
            let of_key = <A::Entity as EntityTrait>::PrimaryKey::from_column(column).is_some();
            if !of_key && model.get(column).is_set() {
                if A::Entity::is_watched(&column) || leads_to_parent::<A::Entity>(&column) {
                    return Self::Announced;
                }
                change = Self::Silent;
            }
        }
        change
    }
}

/// Whether the database generates a key in place of this one, as `MySQL` and `MariaDB` do for an `AUTO_INCREMENT` of 0.
fn replaced<E: Streamed, C: ConnectionTrait>(key: &ValueTuple, db: &C) -> bool {
    db.get_database_backend() == DbBackend::MySql
        && <E::PrimaryKey as PrimaryKeyTrait>::auto_increment()
        && is_zero(key)
}
