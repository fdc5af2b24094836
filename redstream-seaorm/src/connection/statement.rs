//! A statement that a hook has announced, in an open transaction.

use sea_orm::{ConnectionTrait, DbErr};

use crate::connection::follow_up::{self, Before};
use crate::entity::generated_key::Answer;
use crate::guard::admission::Admission;
use crate::guard::permits::FollowUp;
use crate::hooks::lookup;
use crate::unit_of_work::UnitOfWork;
use crate::unit_of_work::unkeyed_insert::InsertGuard;

/// A statement in an open transaction.
#[derive(Debug)]
pub(crate) struct TransactionStatement<'a, T> {
    inner: &'a T,
    unit: &'a UnitOfWork,
    admission: Admission,
    before: Before,
    running: InsertGuard<'a>,
}

impl<'a, T: ConnectionTrait> TransactionStatement<'a, T> {
    pub(crate) async fn begin(inner: &'a T, unit: &'a UnitOfWork, admission: Admission) -> Result<Self, DbErr> {
        let before = follow_up::before(inner, unit, &admission.promises).await;
        let before = before.inspect_err(|_| unit.life().doubt())?;
        lend(&admission, inner);
        Ok(Self { inner, unit, admission, before, running: unit.unkeyed.begin() })
    }

    pub(crate) fn executor(&self) -> &T {
        self.inner
    }

    pub(crate) async fn end<R: Answer>(self, answer: Result<R, DbErr>) -> Result<R, DbErr> {
        let Self { inner, unit, admission: Admission { promises, .. }, before, running } = self;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                running.answered();
                return Err(error);
            }
        };
        // After one of these errors a row exists whose key cannot be insured, as after a statement that was cut off.
        let told = follow_up::told(&promises, &answer, inner.get_database_backend())?;
        let followed = follow_up::after(inner, unit, &promises, before, told).await;
        followed.inspect_err(|_| unit.life().doubt())?;
        running.answered();
        Ok(answer)
    }
}

/// Checks a statement before a streamed connection below does.
pub(super) fn lend(admission: &Admission, below: &impl ConnectionTrait) {
    let Some((tables, is_unread)) = admission.lent() else { return };
    let Some(below) = lookup::find(below) else { return };
    if let Some(permits) = below.permits() {
        for table in tables {
            permits.give(table.clone(), None, FollowUp::None);
        }
        if is_unread {
            permits.give_unread();
        }
    }
}
