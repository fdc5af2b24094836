//! What the derived `ActiveModelBehavior` does, for those who write their own: call each last in the hook
//! of its name, after what gives the model its key or refuses the write.
//!
//! | hook | in a transaction | outside one |
//! |---|---|---|
//! | `before_save`, insert | delay message sent where the key is known | delay message acknowledged, or refused where the key is not known |
//! | `after_save`, insert | delay message sent, main message after the commit | main message |
//! | `before_save`, update | delay message sent, main message after the commit | delay message acknowledged |
//! | `after_save`, update | nothing more | main message |
//! | `before_delete` | delay message sent | delay message acknowledged |
//! | `after_delete` | main message after the commit | main message |
//!
//! `update_without_returning` calls no `after_save`: in a transaction it is announced like any update; outside one its
//! delay message announces it, after the delay.

use redstream_core::NewMessage;
use sea_orm::sea_query::ValueTuple;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, ModelTrait, PrimaryKeyTrait};

use crate::probe::{self, Tracked};
use crate::streamed::{message, table};
use crate::{Error, Key, Streamed};

/// Insures what is about to be saved.
///
/// Errors before anything is written: with a connection that is not streamed, with a key that is not known outside a
/// transaction, and where Redis does not take the delay message.
pub async fn before_save<A, C>(model: &A, db: &C, insert: bool) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Streamed,
    C: ConnectionTrait,
{
    let tracked = tracked::<A::Entity, C>(db)?;
    let key = model.get_primary_key_value().filter(|key| !(insert && replaced::<A::Entity, C>(key, db)));
    let Some(message) = key.map(message::<A::Entity>).transpose()? else {
        return match tracked {
            Tracked::Autocommit(_) if insert => Err(Error::GeneratedKey { table: table::<A::Entity>() }.into()),
            // `after_save` knows the key.
            Tracked::Transaction(scope) if insert => {
                scope.unkeyed.begun();
                Ok(())
            }
            // An update without a key SeaORM refuses itself.
            _ => Ok(()),
        };
    };
    match tracked {
        Tracked::Autocommit(context) => context.insure(&[message]).await?,
        Tracked::Transaction(scope) => {
            scope.insure([message.clone()])?;
            if !insert {
                scope.announce_later([message]);
            }
        }
    }
    Ok(())
}

/// Announces what was saved: at once outside a transaction, else after its commit.
pub async fn after_save<E, C>(model: &E::Model, db: &C, insert: bool) -> Result<(), DbErr>
where
    E: Streamed,
    C: ConnectionTrait,
{
    let message = message::<E>(model.get_primary_key_value())?;
    match tracked::<E, C>(db)? {
        Tracked::Autocommit(context) => drop(context.announce(vec![message], false).await),
        Tracked::Transaction(scope) if insert => {
            if !scope.insurance.covers(&message) {
                scope.unkeyed.known();
            }
            scope.insure([message.clone()])?;
            scope.announce_later([message]);
        }
        Tracked::Transaction(_) => {}
    }
    Ok(())
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
    match tracked {
        Tracked::Autocommit(context) => context.insure(&[message]).await?,
        Tracked::Transaction(scope) => scope.insure([message])?,
    }
    Ok(())
}

/// Announces what was deleted: at once outside a transaction, else after its commit.
pub async fn after_delete<A, C>(model: &A, db: &C) -> Result<(), DbErr>
where
    A: ActiveModelTrait,
    A::Entity: Streamed,
    C: ConnectionTrait,
{
    let Some(message) = message_of(model)? else { return Ok(()) };
    match tracked::<A::Entity, C>(db)? {
        Tracked::Autocommit(context) => drop(context.announce(vec![message], false).await),
        Tracked::Transaction(scope) => scope.announce_later([message]),
    }
    Ok(())
}

/// Whether the database takes this key as a wish for a generated one, as `MySQL` and `MariaDB` take an `AUTO_INCREMENT` of 0.
fn replaced<E: Streamed, C: ConnectionTrait>(key: &ValueTuple, db: &C) -> bool {
    let zero = || serde_json::to_value(Key::<E>::from_values(key.clone()).value()).is_ok_and(|key| key == 0);
    db.get_database_backend() == DbBackend::MySql && <E::PrimaryKey as PrimaryKeyTrait>::auto_increment() && zero()
}

fn message_of<A>(model: &A) -> Result<Option<NewMessage>, Error>
where
    A: ActiveModelTrait,
    A::Entity: Streamed,
{
    model.get_primary_key_value().map(message::<A::Entity>).transpose()
}

pub(crate) fn tracked<E: EntityTrait, C: ConnectionTrait>(db: &C) -> Result<Tracked, Error> {
    probe::tracked(db).ok_or_else(|| Error::Untracked { table: table::<E>() })
}
