//! A statement that a hook has announced, outside a transaction: it gets one of its own.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbErr, TransactionSession};

use crate::connection::follow_up::{self, Before};
use crate::connection::statement::lend;
use crate::connection::transaction::StreamedTransaction;
use crate::entity::generated_key::Answer;
use crate::guard::admission::Admission;
use crate::guard::permits::FollowUp;
use crate::unit_of_work::UnitOfWork;
use crate::unit_of_work::futures::run_while_sent;
use crate::unit_of_work::shared::Shared;

/// A statement in a transaction of its own, as `ActiveRecord` has for every save: insured before its commit,
/// announced after it.
#[derive(Debug)]
pub(crate) struct AutocommitStatement<T> {
    transaction: StreamedTransaction<T>,
    admission: Admission,
    before: Before,
}

impl<T: TransactionSession + ConnectionTrait + Send + 'static> AutocommitStatement<T> {
    /// Sends the delay messages of the known keys, and begins the transaction.
    pub(crate) async fn begin(
        shared: &Arc<Shared>,
        admission: Admission,
        begin: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<Self, DbErr> {
        let unit = UnitOfWork::outermost(shared.clone());
        let insure = || {
            let known = admission.promises.iter().filter_map(|promise| match promise {
                FollowUp::Follow(followed) => Some(followed.message.clone()),
                FollowUp::None | FollowUp::FollowAnswer(_) => None,
            });
            unit.insure(known)
        };
        let (begun, insured) = run_while_sent(begin, insure).await;
        insured?;
        let inner = begun?;
        let transaction = StreamedTransaction::new(inner, unit);
        let before = follow_up::before(&transaction.inner, &transaction.unit, &admission.promises).await?;
        lend(&admission, &transaction.inner);
        Ok(Self { transaction, admission, before })
    }

    pub(crate) fn executor(&self) -> &T {
        &self.transaction.inner
    }

    pub(crate) async fn end<R: Answer>(self, answer: Result<R, DbErr>) -> Result<R, DbErr> {
        let Self { transaction, admission: Admission { promises, .. }, before } = self;
        let (inner, unit) = (&transaction.inner, &transaction.unit);
        if answer.is_err() {
            // It may have ended the transaction, which the rollback must know.
            unit.life().doubt();
        }
        let followed = match answer
            .and_then(|answer| Ok((follow_up::told(&promises, &answer, inner.get_database_backend())?, answer)))
        {
            Ok((told, answer)) => follow_up::after(inner, unit, &promises, before, told).await.map(|()| answer),
            Err(error) => Err(error),
        };
        match followed {
            Ok(answer) => transaction.commit().await.map(|()| answer),
            Err(error) => {
                // If the rollback fails too, the server rolls back when the connection is closed.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }
}
