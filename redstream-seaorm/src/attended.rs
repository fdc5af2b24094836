//! A statement that a hook has announced, and what is to be done with its answer.

use std::future::{Ready, ready};
use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbErr, TransactionSession};

use crate::StreamedTransaction;
use crate::answer::Answer;
use crate::beside::beside;
use crate::context::Context;
use crate::engines::warn_of_those_without_transactions;
use crate::permits::Promise;
use crate::probe;
use crate::scope::Scope;
use crate::unkeyed::Running;

/// What the guard found of a statement.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    promises: Vec<Promise>,
    /// The streamed tables that it writes; told where a connection below wants to know.
    tables: Vec<String>,
    /// Those that are written for the first time, on a database whose tables may take no part in transactions.
    unknown: Vec<String>,
}

impl Admission {
    pub(crate) fn new(promises: Vec<Promise>, tables: Vec<String>, unknown: Vec<String>) -> Self {
        Self { promises, tables, unknown }
    }

    /// What is to be known of the tables before they are written.
    pub(crate) async fn look_at_tables(&self, db: &impl ConnectionTrait) {
        if !self.unknown.is_empty() && !db.is_mock_connection() {
            warn_of_those_without_transactions(db, &self.unknown).await;
        }
    }

    /// Whether there is more to do than to run it.
    pub(crate) fn is_to_be_followed(&self) -> bool {
        self.promises.iter().any(|promise| !matches!(promise, Promise::Kept))
    }

    /// Answers for the statement before a streamed connection below.
    pub(crate) fn lend(&self, below: &impl ConnectionTrait) {
        let Some(below) = (!self.tables.is_empty()).then(|| probe::tracked(below)).flatten() else { return };
        if let Some(permits) = below.permits() {
            self.tables.iter().for_each(|table| permits.give(table.clone(), None, Promise::Kept));
        }
    }
}

/// Hands what was promised to a scope.
fn follow(scope: &Scope, promises: &[Promise], answer: &impl Answer) -> Result<(), DbErr> {
    for promise in promises {
        match promise {
            Promise::Kept => {}
            Promise::Follow(message) => scope.announce_later([message.clone()]),
            Promise::FollowAnswer(keys) => {
                let messages = answer.messages(*keys)?;
                scope.insure(messages.iter().cloned())?;
                scope.announce_later(messages);
            }
        }
    }
    Ok(())
}

/// A statement in a transaction of its own, as `ActiveRecord` has for every save: insured before its commit,
/// announced after it.
#[derive(Debug)]
pub(crate) struct Own<T> {
    transaction: StreamedTransaction<T>,
    admission: Admission,
}

impl<T: TransactionSession + ConnectionTrait + Send + 'static> Own<T> {
    /// Sends the delay messages of the keys that are known, and begins.
    pub(crate) async fn begin(
        context: &Arc<Context>,
        admission: Admission,
        begin: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<Self, DbErr> {
        let scope = Scope::outermost(context.clone());
        let insure = || {
            let known = admission.promises.iter().filter_map(|promise| match promise {
                Promise::Follow(message) => Some(message.clone()),
                Promise::Kept | Promise::FollowAnswer(_) => None,
            });
            scope.insure(known)
        };
        let (begun, insured) = beside(begin, insure).await;
        insured?;
        let inner = begun?;
        admission.lend(&inner);
        Ok(Self { transaction: StreamedTransaction::new(inner, scope), admission })
    }

    pub(crate) fn executor(&self) -> &T {
        &self.transaction.inner
    }

    pub(crate) async fn end<R: Answer>(self, answer: Result<R, DbErr>) -> Result<R, DbErr> {
        let scope = &self.transaction.scope;
        if answer.is_err() {
            // It may have ended the transaction, which the rollback has to know.
            scope.life().doubt();
        }
        let followed = answer.and_then(|answer| follow(scope, &self.admission.promises, &answer).map(|()| answer));
        match followed {
            Ok(answer) => self.transaction.commit().await.map(|()| answer),
            Err(error) => {
                // Should even that fail, the server rolls back when it misses the connection.
                let _ = self.transaction.rollback().await;
                Err(error)
            }
        }
    }
}

/// A statement in a transaction that was there before it.
#[derive(Debug)]
pub(crate) struct Within<'a, T> {
    inner: &'a T,
    scope: &'a Scope,
    admission: Admission,
    running: Running<'a>,
}

impl<'a, T: ConnectionTrait> Within<'a, T> {
    pub(crate) fn begin(inner: &'a T, scope: &'a Scope, admission: Admission) -> Self {
        admission.lend(inner);
        Self { inner, scope, admission, running: scope.unkeyed.begin() }
    }

    pub(crate) fn executor(&self) -> &T {
        self.inner
    }

    pub(crate) fn end<R: Answer>(self, answer: Result<R, DbErr>) -> Ready<Result<R, DbErr>> {
        let followed = answer.map(|answer| (follow(self.scope, &self.admission.promises, &answer), answer));
        ready(match followed {
            Ok((Ok(()), answer)) => {
                self.running.answered();
                Ok(answer)
            }
            // The row is there, and nobody can insure it: as good as cut off.
            Ok((Err(error), _)) => Err(error),
            Err(error) => {
                self.running.answered();
                Err(error)
            }
        })
    }
}
