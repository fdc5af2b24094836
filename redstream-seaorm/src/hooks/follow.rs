//! What a hook before a write does for a row whose key is known.

use sea_orm::sea_query::ValueTuple;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::lookup::Target;
use super::task_scope::TaskScope;
use crate::entity::generated_key::ReadKeys;
use crate::entity::key::has_zero;
use crate::entity::stored_key::{StoredKey, check_zone, is_exact};
use crate::entity::streamed::{Streamed, message};
use crate::error::Error;
use crate::guard::permits::{FollowUp, Followed, WriteKind};

/// A write whose key is known.
pub(super) fn followed<E: Streamed>(key: ValueTuple, kind: WriteKind, backend: DbBackend) -> Result<Followed, Error> {
    if kind != WriteKind::Delete {
        check_zone::<E>(&key, backend)?;
    }
    let may_be_replaced = kind == WriteKind::Insert && backend == DbBackend::MySql && has_zero(&key);
    let is_read = may_be_replaced || !is_exact::<E>(&key, backend);
    let stored = is_read.then(|| StoredKey::of::<E>(key.clone()));
    Ok(Followed { message: message::<E>(key.clone())?, key, kind, keys: ReadKeys::of::<E>(), stored })
}

/// Insures what can be insured before the statement; the rest is returned as a promise.
pub(super) async fn follow(followed: Followed, target: &Target, db: &impl ConnectionTrait) -> Result<FollowUp, DbErr> {
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
