//! Announcing a record that was not written.

use std::sync::Arc;

use redstream_core::NewMessage;
use sea_orm::{ConnectionTrait, DbErr, ModelTrait};

use crate::entity::key::Key;
use crate::entity::streamed::{Streamed, messages};
use crate::error::Error;
use crate::hooks::lookup::{Target, target};
use crate::outbox;
use crate::unit_of_work::insurance::Insurance;

/// `model.touch(&db)`: makes consumers read a record again that was not itself written, because data changed that its
/// documents also contain.
///
/// Implemented for every model of a streamed entity.
pub trait Touch: ModelTrait
where
    Self::Entity: Streamed,
{
    /// Announces this record; see [`hooks::touch`](fn@crate::hooks::touch).
    fn touch<C: ConnectionTrait>(&self, db: &C) -> impl Future<Output = Result<(), DbErr>> + Send {
        let key = Key::<Self::Entity>::from_values(self.get_primary_key_value());
        touch(db, [key])
    }
}

impl<M: ModelTrait> Touch for M where M::Entity: Streamed {}

/// Announces records by their keys without a write: for documents that contain more than their own row, such as a book
/// with the name of its author.
///
/// Within a transaction it is insured like a write, and announced after the commit; outside one it is announced at
/// once. For all rows of a table there is [`reindex`](crate::RedstreamExt::reindex).
///
/// # Errors
///
/// As for a write. Outside a transaction also if Redis does not take the messages, since nothing else would announce
/// them. The text of [`Error::NoStream`] if the entity is streamed for its parents only.
pub fn touch<E, C>(db: &C, keys: impl IntoIterator<Item = Key<E>>) -> impl Future<Output = Result<(), DbErr>> + Send
where
    E: Streamed,
    C: ConnectionTrait,
{
    // Built outside the future, so that the future is `Send` whatever the keys come from.
    let messages = messages(&keys.into_iter().collect::<Vec<_>>());
    let target = target::<E, C>(db);
    async move { announce(db, &target?, messages?).await }
}

/// Announces these messages: after the commit, in a transaction.
pub(crate) async fn announce(
    db: &impl ConnectionTrait,
    target: &Target,
    messages: Vec<NewMessage>,
) -> Result<(), DbErr> {
    match target {
        Target::Autocommit(shared) if shared.settings.insurance == Insurance::Outbox => {
            outbox::write(db, &messages).await?;
            shared.leave_to_relays(&messages);
        }
        Target::Autocommit(shared) => queue(&shared.producer, &messages).await?,
        Target::Transaction(unit) => {
            unit.insure(messages.iter().cloned())?;
            unit.announce_later(messages);
        }
        Target::TaskScope(task_scope) => {
            for message in messages {
                task_scope.insure(&message).await?;
                task_scope.announce_later(message);
            }
        }
    }
    Ok(())
}

async fn queue(producer: &redstream_core::Producer, messages: &[NewMessage]) -> Result<(), Error> {
    producer.queue_all(messages).await.map(drop).map_err(|error| Error::NotAnnounced(Arc::new(error)))
}
