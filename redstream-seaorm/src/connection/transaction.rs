//! The transaction: insured before COMMIT, announced after it.

use std::sync::Arc;

use redstream_core::{Producer, SyncToken};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, TransactionSession};

use crate::connection::statement::TransactionStatement;
use crate::error::Error;
use crate::guard::admission::Admission;
use crate::guard::{Control, Guard, Text, control};
use crate::hooks::lookup::Target;
use crate::outbox;
use crate::unit_of_work::announcement::Announcement;
use crate::unit_of_work::commit;
use crate::unit_of_work::delay_pipeline::InsuredBy;
use crate::unit_of_work::futures::{FinishOnDrop, run_while_sent};
use crate::unit_of_work::liveness::is_aborted;
use crate::unit_of_work::shared::Shared;
use crate::unit_of_work::{Open, UnitOfWork};

/// A transaction, or a savepoint in one, begun on a [`StreamedConnection`](crate::StreamedConnection).
///
/// Dropping it rolls it back, and announces nothing.
#[derive(Debug)]
pub struct StreamedTransaction<T = DatabaseTransaction> {
    pub(crate) inner: T,
    pub(crate) unit: Open,
}

impl<T> StreamedTransaction<T> {
    pub(crate) fn new(inner: T, unit: Arc<UnitOfWork>) -> Self {
        Self { inner, unit: Open::new(unit) }
    }

    /// The wrapped transaction. Writes through it are not tracked; a streamed entity refuses them if it can.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// The producer that writes the messages.
    pub fn producer(&self) -> &Producer {
        &self.unit.shared.producer
    }

    pub(crate) fn target(&self) -> Target {
        Target::Transaction(Arc::clone(&self.unit))
    }

    pub(crate) fn admit(&self, text: &Text<'_>) -> Result<Admission, DbErr> {
        let Shared { guard, settings, .. } = &*self.unit.shared;
        let mut admission = guard.admit(text, &self.unit.all_permits(), settings.nested)?;
        self.unit.keep(admission.take_changing());
        Ok(admission)
    }

    pub(crate) fn bypass_guard(&self) -> &Guard {
        &self.unit.shared.guard
    }

    pub(crate) fn looks_at_statements(&self) -> bool {
        self.unit.all_permits().any(|permits| self.unit.shared.guard.looks(permits))
    }

    pub(crate) fn wrap<N>(&self, begun: Result<N, DbErr>) -> Result<StreamedTransaction<N>, DbErr> {
        Ok(StreamedTransaction::new(begun?, self.unit.savepoint()))
    }
}

impl<T: ConnectionTrait> StreamedTransaction<T> {
    pub(crate) async fn attend(&self, admission: Admission) -> Result<TransactionStatement<'_, T>, DbErr> {
        TransactionStatement::begin(&self.inner, &self.unit, admission).await
    }

    pub(crate) const IN_TRANSACTION: bool = true;

    /// Rows of a stream are not observed, nor is an error that may end it, so the transaction's state is checked before
    /// the next statement.
    #[cfg(feature = "stream")]
    pub(crate) fn streams(&self) {
        self.unit.life().doubt();
    }

    /// Sets a savepoint. If that fails or is dropped before its answer, the driver rolls back the level around it.
    pub(crate) async fn watch_begin<N>(&self, begin: impl Future<Output = Result<N, DbErr>>) -> Result<N, DbErr> {
        let change = self.unit.life().change_savepoint();
        let begun = begin.await;
        if begun.is_ok() {
            change.done();
        }
        begun
    }

    /// Called before each statement and before a savepoint. Errors if the database has ended the transaction, or if
    /// this text would end it. Changes are insured first if the text may end it.
    pub(crate) async fn ready(&self, text: Option<&str>) -> Result<(), DbErr> {
        if self.unit.shared.settings.nested {
            // The transaction below checks all this.
            return Ok(());
        }
        if !self.unit.life().is_sure() {
            Box::pin(self.still_lives()).await?;
        }
        match text.and_then(|text| control(text, self.inner.get_database_backend())) {
            None => Ok(()),
            Some(Control::Explicit(statement)) => Err(Error::TransactionControl { statement }.into()),
            Some(Control::Implicit(statement)) => Err(Error::ImplicitCommit { statement }.into()),
            Some(Control::Unknown) => {
                Box::pin(self.insure_what_is_written()).await?;
                self.unit.life().doubt();
                Ok(())
            }
        }
    }

    /// Runs a statement. Once it is sent, does what the hook before it has noted.
    pub(crate) async fn run_statement<R>(&self, statement: impl Future<Output = Result<R, DbErr>>) -> Result<R, DbErr> {
        let sent = self.unit.life().begin();
        let (answer, ()) = run_while_sent(statement, || self.unit.work_off()).await;
        sent.answered(&answer);
        if answer.is_err() {
            Box::pin(self.ask()).await;
        }
        answer
    }

    /// Asks the database whether it still has the transaction, if that is uncertain.
    async fn ask(&self) {
        if !self.unit.shared.settings.nested {
            self.unit.life().ask(&self.inner, self.unit.open_savepoints()).await;
        }
    }

    async fn still_lives(&self) -> Result<(), Error> {
        self.ask().await;
        if self.unit.life().has_ended() { Err(Error::TransactionEnded) } else { Ok(()) }
    }

    /// Whether a commit would commit this level.
    async fn may_commit(&self) -> Result<(), Error> {
        self.unit.may_commit()?;
        let life = self.unit.life();
        if life.is_sure() {
            return Ok(());
        }
        Box::pin(self.still_lives()).await?;
        // Releasing a savepoint of an aborted transaction is an error of the database itself.
        let may_be_aborted = self.inner.get_database_backend() == DbBackend::Postgres && !self.unit.is_savepoint();
        if may_be_aborted && life.is_doubted() && Box::pin(is_aborted(&self.inner)).await {
            return Err(Error::TransactionAborted);
        }
        Ok(())
    }

    /// All that this transaction has written, collected before a statement that may commit it.
    async fn insure_what_is_written(&self) -> Result<(), Error> {
        let messages = self.unit.changed_so_far();
        if messages.is_empty() && self.unit.delays.is_empty() {
            return Ok(());
        }
        match self.unit.delays.insured_by().await? {
            InsuredBy::Redis => Ok(()),
            InsuredBy::Outbox => outbox::write(&self.inner, &messages).await,
        }
    }
}

impl<T: TransactionSession + ConnectionTrait + Send + 'static> StreamedTransaction<T> {
    /// Waits for Redis to acknowledge the delay messages, commits, and writes the main messages.
    ///
    /// Dropping the future of a commit that has begun does not stop it: it continues in a task of its own. Poll it or
    /// drop it: the transaction stays open as long as the future is held without being polled.
    ///
    /// A savepoint is released, and its announcements wait for the outer commit. If the future of that is dropped, it
    /// is not known whether the savepoint was released, and the whole transaction is refused from then on, with
    /// [`Error::TransactionEnded`].
    ///
    /// With [`announce_in_background`](crate::StreamedConnectionBuilder::announce_in_background) it returns when the
    /// database has committed, and the main messages follow. A main message that fails is no error: it is logged,
    /// counted, and the delayer announces the change.
    ///
    /// # Errors
    ///
    /// Each error comes after a rollback:
    /// - if a delay message was not written, within the bounds that
    ///   [`response_timeout`](redstream_core::ConnectOptions::response_timeout) and
    ///   [`give_up_after`](redstream_core::ConnectOptions::give_up_after) set together;
    /// - if the future of an insert was dropped before its generated key was known: its row could not be insured. Roll
    ///   back to a savepoint if you mean to drop such futures;
    /// - if a savepoint inside is still open, or this is a savepoint whose transaction is over: to the database it
    ///   would be a commit of that other level;
    /// - [`Error::TransactionEnded`] if the database has ended the transaction by itself: after a deadlock of MariaDB,
    ///   an `ON CONFLICT ROLLBACK` of SQLite, a procedure that commits; or if its driver has, after a nested `begin`
    ///   that failed or was dropped, or a rollback of one of two sibling savepoints. Every later statement returns the
    ///   same error, at each level; [`rollback`](Self::rollback) succeeds. Retry the whole transaction, never its last
    ///   statement;
    /// - [`Error::TransactionAborted`] if a statement failed on PostgreSQL and no savepoint was rolled back to since:
    ///   to the driver alone that commit would succeed, and commit nothing.
    pub async fn commit(self) -> Result<(), DbErr> {
        let announcement =
            if self.unit.shared.settings.in_background { Announcement::Follows } else { Announcement::Awaited };
        self.conclude(announcement).await.map(drop)
    }

    /// [`commit`](Self::commit) that also returns a token of what was announced: pass it to
    /// [`Redstream::wait_until_synced`](redstream_core::Redstream::wait_until_synced) to read your own writes in a
    /// secondary datastore.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use redstream_seaorm::{Redstream, StreamedConnection};
    /// # use sea_orm::TransactionTrait;
    /// # async fn example(db: StreamedConnection, redstream: Redstream) -> Result<(), Box<dyn std::error::Error>> {
    /// let txn = db.begin().await?;
    /// // … saves …
    /// let written = txn.commit_with_token().await?;
    /// redstream.wait_until_synced("search", &written, Duration::from_secs(5)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// The token of a transaction that wrote several entities names all their streams; to wait for a consumer of one of
    /// them, use [`written.of::<book::Entity>()`](crate::TokenExt::of).
    ///
    /// A savepoint returns an empty token; the token of the outer commit contains its writes.
    ///
    /// Waits for the main messages, whatever
    /// [`announce_in_background`](crate::StreamedConnectionBuilder::announce_in_background) says: the token holds their
    /// ids.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    pub async fn commit_with_token(self) -> Result<SyncToken, DbErr> {
        self.conclude(Announcement::Awaited).await
    }

    async fn conclude(self, announcement: Announcement) -> Result<SyncToken, DbErr> {
        if let Err(error) = self.may_commit().await {
            // If the rollback fails too, the server rolls back when the connection is closed.
            let _ = self.inner.rollback().await;
            return Err(error.into());
        }
        if self.unit.is_savepoint() {
            return self.release().await.map(|()| SyncToken::new());
        }
        if self.unit.unkeyed.is_cut_off() {
            // If the rollback fails too, the server rolls back when the connection is closed.
            let _ = self.inner.rollback().await;
            return Err(Error::InsertCutOff.into());
        }
        if self.unit.is_empty() {
            return self.inner.commit().await.map(|()| SyncToken::new());
        }
        let Self { inner, unit } = self;
        FinishOnDrop::new(commit::run(inner, unit, announcement)).await
    }

    /// Releases a savepoint, whose changes then belong to the enclosing level.
    async fn release(self) -> Result<(), DbErr> {
        let Self { inner, unit } = self;
        let change = unit.life().change_savepoint();
        let released = inner.commit().await;
        change.done();
        match released {
            Ok(()) => unit.released(),
            Err(_) => unit.life().doubt(),
        }
        released
    }

    /// Rolls back. Nothing is announced; a delay message that was sent makes consumers read an unchanged row later.
    ///
    /// # Errors
    ///
    /// If the database or its driver fails to roll back.
    pub async fn rollback(self) -> Result<(), DbErr> {
        let life = self.unit.life();
        if life.is_doubted() {
            self.ask().await;
        }
        let had_ended = life.has_ended();
        let rolled_back = self.inner.rollback().await;
        if had_ended {
            return Ok(());
        }
        if rolled_back.is_err() {
            self.unit.life().doubt();
        }
        rolled_back
    }
}
