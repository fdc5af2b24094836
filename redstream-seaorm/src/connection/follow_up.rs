//! What is insured and announced of a statement's rows: before it, from its answer, and from a look at the rows after
//! it.

use redstream_core::NewMessage;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use crate::entity::generated_key::Answer;
use crate::error::Error;
use crate::guard::permits::{FollowUp, Followed, WriteKind};
use crate::unit_of_work::UnitOfWork;

/// The messages of the keys that rows have before the statement, for each promise that needs them; empty if none does.
pub(crate) type Before = Vec<Vec<NewMessage>>;

/// What the answer contains, for each promise.
#[derive(Debug, Default)]
pub(crate) struct Told {
    messages: Vec<NewMessage>,
    /// The statement wrote a row.
    wrote: bool,
}

/// Reads and insures the keys that rows have before they are updated or deleted, if the given keys may be other
/// spellings.
pub(crate) async fn before(
    db: &impl ConnectionTrait,
    unit: &UnitOfWork,
    promises: &[FollowUp],
) -> Result<Before, DbErr> {
    if !promises.iter().any(|promise| matches!(promise, FollowUp::Follow(followed) if followed.is_read_before())) {
        return Ok(Before::new());
    }
    let mut before = Before::with_capacity(promises.len());
    for promise in promises {
        before.push(match promise {
            FollowUp::Follow(Followed { kind, stored: Some(stored), .. }) if *kind != WriteKind::Insert => {
                Box::pin(stored.look_up_first(db)).await?
            }
            _ => Vec::new(),
        });
    }
    unit.insure(before.iter().flatten().cloned())?;
    Ok(before)
}

/// Reads the answer. Errors if a generated key is not in it.
pub(crate) fn told(promises: &[FollowUp], answer: &impl Answer, backend: DbBackend) -> Result<Vec<Told>, DbErr> {
    // With SeaORM's feature `mariadb-use-returning` a save is a query, and SeaQuery leaves RETURNING out for MySQL and
    // MariaDB: the row is written but not returned.
    let may_hide_row = backend == DbBackend::MySql && answer.is_empty_query();
    let of = |promise: &FollowUp| {
        Ok(match promise {
            FollowUp::None => Told::default(),
            FollowUp::FollowAnswer(keys) if may_hide_row => return Err(keys.untold()),
            FollowUp::Follow(Followed { stored: Some(_), kind: WriteKind::Insert, .. }) if may_hide_row => {
                Told { messages: Vec::new(), wrote: true }
            }
            FollowUp::Follow(Followed { stored: None, .. }) if backend == DbBackend::Sqlite => {
                // It returns the key that it was given.
                Told { messages: Vec::new(), wrote: true }
            }
            FollowUp::Follow(Followed { stored: None, keys, key, .. }) => {
                Told { messages: answer.returned_but(*keys, key)?, wrote: true }
            }
            FollowUp::Follow(followed) => Told { messages: answer.returned(followed.keys)?, wrote: answer.wrote() },
            FollowUp::FollowAnswer(keys) => Told { messages: answer.messages(*keys)?, wrote: answer.wrote() },
        })
    };
    promises.iter().map(of).collect()
}

/// Insures and announces the rows that were written. Errors with [`Error::KeyRewritten`] if a row has a key that cannot
/// be known.
pub(crate) async fn after(
    db: &impl ConnectionTrait,
    unit: &UnitOfWork,
    promises: &[FollowUp],
    before: Before,
    told: Vec<Told>,
) -> Result<(), DbErr> {
    let mut before = before.into_iter();
    for (promise, told) in promises.iter().zip(told) {
        let before = before.next().unwrap_or_default();
        match promise {
            FollowUp::None => {}
            FollowUp::FollowAnswer(_) => announce(unit, told.messages)?,
            // Insured before the statement.
            FollowUp::Follow(Followed { stored: None, message, .. }) if told.messages.is_empty() => {
                unit.announce_later([message.clone()]);
            }
            FollowUp::Follow(followed) => announce(unit, followed.messages(db, before, told).await?)?,
        }
    }
    Ok(())
}

fn announce(unit: &UnitOfWork, messages: Vec<NewMessage>) -> Result<(), Error> {
    unit.insure(messages.iter().cloned())?;
    unit.announce_later(messages);
    Ok(())
}

impl Followed {
    fn is_read_before(&self) -> bool {
        self.stored.is_some() && self.kind != WriteKind::Insert
    }

    /// The messages of every key that the row had and has.
    async fn messages(
        &self,
        db: &impl ConnectionTrait,
        before: Vec<NewMessage>,
        told: Told,
    ) -> Result<Vec<NewMessage>, DbErr> {
        let now = self.now(db, told).await?;
        let mut messages = match self.kind {
            WriteKind::Insert => Vec::new(),
            WriteKind::Update | WriteKind::Delete => before,
        };
        if messages.is_empty() && (now.is_empty() || self.kind != WriteKind::Insert) {
            messages.push(self.message.clone());
        }
        messages.extend(now);
        Ok(messages)
    }

    /// The messages of the keys that rows have now, as far as they are known.
    async fn now(&self, db: &impl ConnectionTrait, told: Told) -> Result<Vec<NewMessage>, DbErr> {
        let Told { messages, wrote } = told;
        let Some(stored) = self.stored.as_ref().filter(|_| wrote && self.kind != WriteKind::Delete) else {
            return Ok(messages);
        };
        // SQLite returns a row as it is before its AFTER triggers, and has no other triggers that change it.
        if !messages.is_empty() && db.get_database_backend() != DbBackend::Sqlite {
            return Ok(messages);
        }
        let now = Box::pin(stored.look_up(db)).await?;
        if now.is_empty() { Err(Error::KeyRewritten { table: stored.table().to_owned() }.into()) } else { Ok(now) }
    }
}
