//! What the derived `ActiveModelBehavior` does, for those who write their own: call each last in the hook
//! of its name, after what gives the model its key or refuses the write.
//!
//! | hook | in a transaction |
//! |---|---|
//! | `before_save`, insert | noted, where the key is known |
//! | `before_save`, update | noted; main message after the commit |
//! | `before_delete` | noted |
//! | the statement | delay message of what was noted sent while the database is at work; where the key is generated: sent when it is known, main message after the commit |
//! | `after_save`, insert; `after_delete` | main message after the commit |
//!
//! What was noted and had no statement to go with is sent by the commit, which waits for it in any case.
//!
//! Outside a transaction the statement that follows the hook gets a transaction of its own, which does all of that: the hook leaves
//! a note of it for its tokio task.
//!
//! An update that sets no column writes nothing, and so says nothing.

use std::sync::Arc;

use redstream_core::NewMessage;
use sea_orm::sea_query::ValueTuple;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, Iterable, ModelTrait, PrimaryKeyToColumn,
    PrimaryKeyTrait,
};

pub use crate::parents::touch_parents;
pub use crate::touch::touch;

use crate::answer::ReadKeys;
use crate::context::Context;
use crate::delays::InsuredBy;
use crate::key::is_zero;
use crate::mutation::{self, Mutation::UntrackedSilent};
use crate::permits::{Permits, Promise};
use crate::probe::{self, Tracked};
use crate::scope::Scope;
use crate::streamed::{message, table};
use crate::{Error, Streamed, outbox};

/// Insures what is about to be saved.
///
/// Errors before anything is written: with a connection that is not streamed, and in a transaction whose delay messages Redis
/// did not take. Outside a transaction such errors are the statement's.
pub async fn before_save<A, C>(model: &A, db: &C, insert: bool) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Streamed,
    C: ConnectionTrait,
{
    if passes_untracked(db) {
        return Ok(());
    }
    let tracked = tracked::<A::Entity, C>(db)?;
    let change = if insert { Change::Announced } else { Change::of(model) };
    if change == Change::None {
        return Ok(());
    }
    let key = model.get_primary_key_value().filter(|key| !(insert && replaced::<A::Entity, C>(key, db)));
    let message = key.map(message::<A::Entity>).transpose()?;
    let known = message.clone();
    let promise = match (message, &tracked) {
        _ if change == Change::Silent => Promise::Kept,
        (Some(message), Tracked::Autocommit(_)) => Promise::Follow(message),
        (Some(message), Tracked::Transaction(scope)) => {
            scope.note(message, !insert)?;
            Promise::Kept
        }
        (Some(message), Tracked::Ambient(ambient)) => {
            ambient.insure(&message).await?;
            if !insert {
                ambient.announce_later(message);
            }
            Promise::Kept
        }
        (None, Tracked::Ambient(_)) if insert && !is_transaction::<C>() => {
            return Err(Error::UnseenKey { table: table::<A::Entity>() }.into());
        }
        (None, _) if insert => Promise::FollowAnswer(ReadKeys::of::<A::Entity>()),
        // An update without a key SeaORM refuses itself.
        (None, _) => return Ok(()),
    };
    announce_statement::<A::Entity>(&tracked, known, promise);
    Ok(())
}

/// Announces what was inserted, in a transaction after its commit.
pub async fn after_save<E, C>(model: &E::Model, db: &C, insert: bool) -> Result<(), DbErr>
where
    E: Streamed,
    C: ConnectionTrait,
{
    if passes_untracked(db) {
        return Ok(());
    }
    let tracked = tracked::<E, C>(db)?;
    if !insert && tracked.permits().is_none_or(Permits::is_empty) {
        // Announced before it, and its statement was seen.
        return Ok(());
    }
    let message = message::<E>(model.get_primary_key_value())?;
    let left = tracked.permits().and_then(|permits| permits.withdraw(table_name::<E>(), &message));
    match tracked {
        Tracked::Autocommit(context) => follow_late::<E>(&context, left, message, db).await,
        Tracked::Ambient(ambient) if insert => {
            ambient.insure(&message).await?;
            ambient.announce_later(message);
            Ok(())
        }
        Tracked::Transaction(scope) if insert => {
            scope.insure([message.clone()])?;
            scope.announce_later([message]);
            Ok(())
        }
        Tracked::Transaction(_) | Tracked::Ambient(_) => Ok(()),
    }
}

/// Insures what is about to be deleted. Errors as [`before_save`].
pub async fn before_delete<A, C>(model: &A, db: &C) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Streamed,
    C: ConnectionTrait,
{
    let tracked = tracked::<A::Entity, C>(db)?;
    // Without a key SeaORM refuses the delete itself.
    let Some(message) = message_of(model)? else { return Ok(()) };
    let known = Some(message.clone());
    let promise = match &tracked {
        Tracked::Autocommit(_) => Promise::Follow(message),
        Tracked::Transaction(scope) => {
            scope.note(message, false)?;
            Promise::Kept
        }
        Tracked::Ambient(ambient) => {
            ambient.insure(&message).await?;
            Promise::Kept
        }
    };
    announce_statement::<A::Entity>(&tracked, known, promise);
    Ok(())
}

/// Announces what was deleted, in a transaction after its commit.
pub async fn after_delete<A, C>(model: &A, db: &C) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Streamed,
    C: ConnectionTrait,
{
    let Some(message) = message_of(model)? else { return Ok(()) };
    let tracked = tracked::<A::Entity, C>(db)?;
    let left = tracked.permits().and_then(|permits| permits.withdraw(table_name::<A::Entity>(), &message));
    match tracked {
        Tracked::Autocommit(context) => return follow_late::<A::Entity>(&context, left, message, db).await,
        Tracked::Transaction(scope) => scope.announce_later([message]),
        Tracked::Ambient(ambient) => ambient.announce_later(message),
    }
    Ok(())
}

/// Tells the connection of the statement that follows the hook.
fn announce_statement<E: EntityTrait>(tracked: &Tracked, message: Option<NewMessage>, promise: Promise) {
    if let Some(permits) = tracked.permits() {
        permits.give(table_name::<E>(), message, promise);
    }
}

/// A defect: nobody hears of it.
fn passes_untracked<C: ConnectionTrait>(db: &C) -> bool {
    mutation::is(UntrackedSilent) && probe::tracked(db).is_none()
}

/// Whether SeaORM's own connection is a transaction, for all that one can tell.
fn is_transaction<C>() -> bool {
    std::any::type_name::<C>().ends_with("::DatabaseTransaction")
}

/// The statement that the hook announced was not seen in this task: a wrapper has run it in another. What was to be done
/// with it is done now, late but not never.
async fn follow_late<E: EntityTrait>(
    context: &Arc<Context>,
    left: Option<Promise>,
    message: NewMessage,
    db: &impl ConnectionTrait,
) -> Result<(), DbErr> {
    if !matches!(left, Some(Promise::Follow(_) | Promise::FollowAnswer(_))) {
        return Ok(());
    }
    context.guard.ran_elsewhere(table_name::<E>());
    let scope = Scope::outermost(context.clone());
    scope.insure([message.clone()])?;
    match scope.delays.settled().await? {
        InsuredBy::Redis => _ = context.announce(vec![message], false).await,
        InsuredBy::Outbox => {
            let messages = [message];
            outbox::write(db, &messages).await?;
            context.leave_to_relays(&messages);
        }
    }
    Ok(())
}

/// What an update does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// It sets nothing: SeaORM sends no statement.
    None,
    /// It sets only columns that nobody watches.
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
                if A::Entity::is_watched(&column) {
                    return Self::Announced;
                }
                change = Self::Silent;
            }
        }
        change
    }
}

/// Whether the database takes this key as a wish for a generated one, as `MySQL` and `MariaDB` take an `AUTO_INCREMENT` of 0.
fn replaced<E: Streamed, C: ConnectionTrait>(key: &ValueTuple, db: &C) -> bool {
    db.get_database_backend() == DbBackend::MySql
        && <E::PrimaryKey as PrimaryKeyTrait>::auto_increment()
        && is_zero(key)
}

fn message_of<A>(model: &A) -> Result<Option<NewMessage>, Error>
where
    A: ActiveModelTrait,
    A::Entity: Streamed,
{
    model.get_primary_key_value().map(message::<A::Entity>).transpose()
}

pub(crate) fn tracked<E: EntityTrait, C: ConnectionTrait>(db: &C) -> Result<Tracked, Error> {
    let tracked = probe::tracked(db).ok_or_else(|| Error::Untracked { table: table::<E>() })?;
    tracked.context().guard.learn::<E>();
    Ok(tracked)
}

fn table_name<E: EntityTrait>() -> &'static str {
    E::default().table_name()
}
