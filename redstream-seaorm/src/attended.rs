//! A statement that a hook has announced, and what is to be done with its answer.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbErr, TransactionSession};

use crate::StreamedTransaction;
use crate::answer::Answer;
use crate::beside::beside;
use crate::context::Context;
use crate::engines::warn_of_those_without_transactions;
use crate::followed::{self, Before};
use crate::guard::Changing;
use crate::permits::Promise;
use crate::probe;
use crate::scope::Scope;
use crate::table_name::TableName;
use crate::unkeyed::Running;

/// What the guard found of a statement.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    promises: Vec<Promise>,
    /// The streamed tables that it writes; told where a connection below wants to know.
    tables: Vec<TableName>,
    /// Those that are written for the first time, on a database whose tables may take no part in transactions.
    unknown: Vec<String>,
    /// Its text does not tell what it writes; told likewise.
    is_unread: bool,
    /// While it runs, no answer about views is kept.
    changing: Option<Changing>,
}

impl Admission {
    pub(crate) fn promised(&mut self, promises: Vec<Promise>) {
        self.promises.extend(promises);
    }

    pub(crate) fn lends(&mut self, table: TableName) {
        self.tables.push(table);
    }

    /// This table is written for the first time.
    pub(crate) fn writes_first(&mut self, table: String) {
        self.unknown.push(table);
    }

    /// What is to be known of the tables before they are written.
    pub(crate) async fn look_at_tables(&self, db: &impl ConnectionTrait) {
        if !self.unknown.is_empty() && !db.is_mock_connection() {
            Box::pin(warn_of_those_without_transactions(db, &self.unknown)).await;
        }
    }

    pub(crate) fn lends_unread(&mut self) {
        self.is_unread = true;
    }

    pub(crate) fn changes(&mut self, changing: Changing) {
        self.changing = Some(changing);
    }

    /// What is to be kept until the transaction is over.
    pub(crate) fn take_changing(&mut self) -> Option<Changing> {
        self.changing.take()
    }

    /// Whether there is more to do than to run it.
    pub(crate) fn is_to_be_followed(&self) -> bool {
        self.promises.iter().any(|promise| !matches!(promise, Promise::Kept))
    }

    /// Answers for the statement before a streamed connection below.
    pub(crate) fn lend(&self, below: &impl ConnectionTrait) {
        let lends = self.is_unread || !self.tables.is_empty();
        let Some(below) = lends.then(|| probe::tracked(below)).flatten() else { return };
        if let Some(permits) = below.permits() {
            self.tables.iter().for_each(|table| permits.give(table.clone(), None, Promise::Kept));
            if self.is_unread {
                permits.give_unread();
            }
        }
    }
}

/// A statement in a transaction of its own, as `ActiveRecord` has for every save: insured before its commit,
/// announced after it.
#[derive(Debug)]
pub(crate) struct Own<T> {
    transaction: StreamedTransaction<T>,
    admission: Admission,
    before: Before,
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
                Promise::Follow(followed) => Some(followed.message.clone()),
                Promise::Kept | Promise::FollowAnswer(_) => None,
            });
            scope.insure(known)
        };
        let (begun, insured) = beside(begin, insure).await;
        insured?;
        let inner = begun?;
        let transaction = StreamedTransaction::new(inner, scope);
        let before = followed::before(&transaction.inner, &transaction.scope, &admission.promises).await?;
        admission.lend(&transaction.inner);
        Ok(Self { transaction, admission, before })
    }

    pub(crate) fn executor(&self) -> &T {
        &self.transaction.inner
    }

    pub(crate) async fn end<R: Answer>(self, answer: Result<R, DbErr>) -> Result<R, DbErr> {
        let Self { transaction, admission: Admission { promises, .. }, before } = self;
        let (inner, scope) = (&transaction.inner, &transaction.scope);
        if answer.is_err() {
            // It may have ended the transaction, which the rollback has to know.
            scope.life().doubt();
        }
        let followed = match answer
            .and_then(|answer| Ok((followed::told(&promises, &answer, inner.get_database_backend())?, answer)))
        {
            Ok((told, answer)) => followed::after(inner, scope, &promises, before, told).await.map(|()| answer),
            Err(error) => Err(error),
        };
        match followed {
            Ok(answer) => transaction.commit().await.map(|()| answer),
            Err(error) => {
                // Should even that fail, the server rolls back when it misses the connection.
                let _ = transaction.rollback().await;
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
    before: Before,
    running: Running<'a>,
}

impl<'a, T: ConnectionTrait> Within<'a, T> {
    pub(crate) async fn begin(inner: &'a T, scope: &'a Scope, admission: Admission) -> Result<Self, DbErr> {
        let before = followed::before(inner, scope, &admission.promises).await;
        let before = before.inspect_err(|_| scope.life().doubt())?;
        admission.lend(inner);
        Ok(Self { inner, scope, admission, before, running: scope.unkeyed.begin() })
    }

    pub(crate) fn executor(&self) -> &T {
        self.inner
    }

    pub(crate) async fn end<R: Answer>(self, answer: Result<R, DbErr>) -> Result<R, DbErr> {
        let Self { inner, scope, admission: Admission { promises, .. }, before, running } = self;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                running.answered();
                return Err(error);
            }
        };
        // With an error of these, a row is there whose key cannot be insured: as good as cut off.
        let told = followed::told(&promises, &answer, inner.get_database_backend())?;
        let followed = followed::after(inner, scope, &promises, before, told).await;
        followed.inspect_err(|_| scope.life().doubt())?;
        running.answered();
        Ok(answer)
    }
}
