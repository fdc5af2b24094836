//! What a hook after a write does, once its statement ran.

use std::sync::Arc;

use redstream_core::NewMessage;
use sea_orm::sea_query::ValueTuple;
use sea_orm::{ConnectionTrait, DbErr};

use super::lookup::Target;
use crate::entity::parents::are_known;
use crate::entity::stored_key::is_exact;
use crate::entity::streamed::{Streamed, message, table};
use crate::entity::table_name::TableName;
use crate::error::Error;
use crate::guard::permits::{FollowUp, Left, WriteKind};
use crate::outbox;
use crate::unit_of_work::UnitOfWork;
use crate::unit_of_work::delay_pipeline::InsuredBy;
use crate::unit_of_work::hook_calls::Called;
use crate::unit_of_work::shared::Shared;

/// The hook before a write announces parents: after the write, the parents that the row had are no longer known.
pub(super) fn parents_were_announced<E: Streamed>(called: Called) -> Result<(), Error> {
    if called == Called::Never && are_known::<E>() {
        return Err(Error::HookMissed { table: table::<E>() });
    }
    Ok(())
}

/// After a write of a row that only announces its parents.
pub(super) fn finish_without_stream<E: Streamed>(target: &Target, key: ValueTuple) -> Result<(), DbErr> {
    let message = message::<E>(key)?;
    if let Some(permits) = target.permits() {
        permits.withdraw(&TableName::of::<E>(), &message);
    }
    Ok(())
}

/// Finishes after a write of the row of this key.
pub(super) async fn finish<E: Streamed>(
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
