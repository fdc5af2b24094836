//! The commit of a transaction that wrote something: insured before COMMIT, announced after it.

use std::sync::Arc;

use redstream_core::{NewMessage, SyncToken};
use sea_orm::{ConnectionTrait, DbErr, TransactionSession};

use crate::error::Error;
use crate::failpoint::failpoint;
use crate::outbox;
use crate::unit_of_work::announcement::Announcement;
use crate::unit_of_work::delay_pipeline::InsuredBy;
use crate::unit_of_work::{Open, UnitOfWork};

/// Must not be interrupted: acknowledgements, COMMIT, main messages.
pub(crate) async fn run<T>(inner: T, unit: Open, announcement: Announcement) -> Result<SyncToken, DbErr>
where
    T: TransactionSession + ConnectionTrait + Send,
{
    let insured = match insured(&inner, &unit).await {
        Ok(insured) => insured,
        Err(error) => {
            // If the rollback fails too, the server rolls back when the connection is closed.
            let _ = inner.rollback().await;
            return Err(error.into());
        }
    };
    failpoint!("commit: insured");
    // COMMIT is sent in the same poll that found the delay messages to be young enough: a caller that holds this future
    // without polling it cannot let them become due before it. An error leaves the outcome open: if the commit
    // succeeded after all, the insurance announces it.
    inner.commit().await?;
    failpoint!("commit: done");
    match insured {
        Insured::ByRedis => {
            // A commit so slow that its delay messages may have become due before it, at half of the shortest sound
            // delay.
            let uninsured = unit.delays.age() > unit.shared.resend_after() * 5 / 2;
            let announced = || announced(Arc::clone(&unit), uninsured);
            match announcement {
                Announcement::Awaited => match unit.deferred.take(announced()) {
                    Ok(()) => Ok(SyncToken::new()),
                    Err(announced) => Ok(announced.await),
                },
                Announcement::Follows if uninsured || unit.shared.may_remove_delays() => {
                    // If the runtime ends first, the delay messages announce the change.
                    tokio::spawn(announced());
                    Ok(SyncToken::new())
                }
                Announcement::Follows => {
                    unit.shared.announce_in_background(unit.take_announcements());
                    failpoint!("commit: announced");
                    Ok(SyncToken::new())
                }
            }
        }
        Insured::ByOutbox(messages) => Ok(unit.shared.leave_to_relays(&messages)),
    }
}

/// Writes the main messages.
async fn announced(unit: Arc<UnitOfWork>, uninsured: bool) -> SyncToken {
    let (shared, messages) = (&unit.shared, unit.take_announcements());
    let token = if shared.may_remove_delays() {
        shared.announce_and_remove_delays(messages, unit.delays.take_ids(), uninsured).await
    } else {
        shared.announce(messages, uninsured).await
    };
    failpoint!("commit: announced");
    token
}

enum Insured {
    ByRedis,
    /// A relay announces these.
    ByOutbox(Vec<NewMessage>),
}

async fn insured<T: ConnectionTrait>(inner: &T, unit: &UnitOfWork) -> Result<Insured, Error> {
    match unit.delays.insured_by().await? {
        InsuredBy::Redis => Ok(Insured::ByRedis),
        InsuredBy::Outbox => {
            let messages = unit.take_all();
            Box::pin(outbox::write(inner, &messages)).await?;
            failpoint!("outbox: written");
            Ok(Insured::ByOutbox(messages))
        }
    }
}
