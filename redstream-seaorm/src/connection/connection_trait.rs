//! SeaORM's connection traits for both wrappers: every method is forwarded, also those with a default, since the
//! wrapped type may override it.

use std::fmt::{Debug, Display};
use std::pin::Pin;

#[cfg(feature = "stream")]
use sea_orm::StreamTrait;
use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult, Statement,
    StatementBuilder, TransactionError, TransactionOptions, TransactionSession, TransactionTrait,
};

use crate::connection::StreamedConnection;
use crate::connection::read::{Read, takes_built};
use crate::connection::statement::lend;
use crate::connection::transaction::StreamedTransaction;
#[cfg(feature = "stream")]
use crate::error::Error;
use crate::guard::admission::Admission;
use crate::hooks::lookup;

/// What a closure for `transaction` returns.
type Callback<'c, R, E> = Pin<Box<dyn Future<Output = Result<R, E>> + Send + 'c>>;

/// Runs a statement on `$executor`; a statement that a hook has announced runs in a way that lets its answer be read.
macro_rules! follow {
    ($self:ident, $admission:expr, $executor:ident => $run:expr) => {{
        let admission: Admission = $admission;
        admission.look_at_tables(&$self.inner).await;
        if admission.is_to_be_followed() {
            let attended = $self.attend(admission).await?;
            let $executor = attended.executor();
            let answer = $self.run_statement($run).await;
            attended.end(answer).await
        } else {
            let $executor = &$self.inner;
            lend(&admission, $executor);
            $self.run_statement($run).await
        }
    }};
}

macro_rules! forward {
    ($wrapper:ident, $($bounds:tt)*) => {
        impl<C> $wrapper<C>
        where
            C: ConnectionTrait + Send,
            $($bounds)*
        {
            async fn admit_text(&self, sql: &str) -> Result<Admission, DbErr> {
                if self.looks_at_statements() {
                    let backend = self.inner.get_database_backend();
                    self.admit(&self.bypass_guard().read(sql, backend, &self.inner).await)
                } else {
                    Ok(Admission::default())
                }
            }

            /// Admits a statement. Also returns it if it was built for this and may run as built.
            async fn admit_statement<S: StatementBuilder>(
                &self,
                statement: &S,
            ) -> Result<(Admission, Option<Statement>), DbErr> {
                let backend = self.inner.get_database_backend();
                let read = Read::of(statement, backend, Self::IN_TRANSACTION, self.looks_at_statements());
                self.ready(read.as_ref().and_then(Read::text_that_may_end)).await?;
                let admission = match read.as_ref().and_then(Read::text_that_may_write) {
                    Some(sql) => self.admit(&self.bypass_guard().read(sql, backend, &self.inner).await)?,
                    None => Admission::default(),
                };
                Ok((admission, read.map(|read| read.built).filter(|_| takes_built::<C>())))
            }
        }

        #[async_trait::async_trait]
        impl<C> ConnectionTrait for $wrapper<C>
        where
            C: ConnectionTrait + Send,
            $($bounds)*
        {
            fn get_database_backend(&self) -> DbBackend {
                lookup::answer(|| self.target());
                self.inner.get_database_backend()
            }

            async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
                self.ready(Some(&stmt.sql)).await?;
                follow!(self, self.admit_text(&stmt.sql).await?, executor => executor.execute_raw(stmt))
            }

            async fn execute<S: StatementBuilder>(&self, stmt: &S) -> Result<ExecResult, DbErr> {
                match self.admit_statement(stmt).await? {
                    (admission, Some(built)) => follow!(self, admission, executor => executor.execute_raw(built)),
                    (admission, None) => follow!(self, admission, executor => executor.execute(stmt)),
                }
            }

            async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
                self.ready(Some(sql)).await?;
                follow!(self, self.admit_text(sql).await?, executor => executor.execute_unprepared(sql))
            }

            async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
                self.ready(Some(&stmt.sql)).await?;
                follow!(self, self.admit_text(&stmt.sql).await?, executor => executor.query_one_raw(stmt))
            }

            async fn query_one<S: StatementBuilder>(&self, stmt: &S) -> Result<Option<QueryResult>, DbErr> {
                match self.admit_statement(stmt).await? {
                    (admission, Some(built)) => follow!(self, admission, executor => executor.query_one_raw(built)),
                    (admission, None) => follow!(self, admission, executor => executor.query_one(stmt)),
                }
            }

            async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
                self.ready(Some(&stmt.sql)).await?;
                follow!(self, self.admit_text(&stmt.sql).await?, executor => executor.query_all_raw(stmt))
            }

            async fn query_all<S: StatementBuilder>(&self, stmt: &S) -> Result<Vec<QueryResult>, DbErr> {
                match self.admit_statement(stmt).await? {
                    (admission, Some(built)) => follow!(self, admission, executor => executor.query_all_raw(built)),
                    (admission, None) => follow!(self, admission, executor => executor.query_all(stmt)),
                }
            }

            fn support_returning(&self) -> bool {
                self.inner.support_returning()
            }

            fn is_mock_connection(&self) -> bool {
                self.inner.is_mock_connection()
            }
        }

        #[cfg(feature = "stream")]
        impl<C: StreamTrait + ConnectionTrait> $wrapper<C> {
            /// No hook is followed by a stream, so keys are not read from its answer.
            async fn admit_streamed(&self, sql: &str) -> Result<(), DbErr> {
                if !self.looks_at_statements() {
                    return Ok(());
                }
                let backend = ConnectionTrait::get_database_backend(&self.inner);
                let admission = self.admit(&self.bypass_guard().read(sql, backend, &self.inner).await)?;
                if admission.is_to_be_followed() { Err(Error::StreamedWrite.into()) } else { Ok(()) }
            }
        }

        #[cfg(feature = "stream")]
        impl<C: StreamTrait + ConnectionTrait> StreamTrait for $wrapper<C> {
            type Stream<'a>
                = C::Stream<'a>
            where
                Self: 'a;

            fn get_database_backend(&self) -> DbBackend {
                StreamTrait::get_database_backend(&self.inner)
            }

            fn stream_raw<'a>(
                &'a self,
                stmt: Statement,
            ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
                Box::pin(async move {
                    self.ready(Some(&stmt.sql)).await?;
                    self.admit_streamed(&stmt.sql).await?;
                    self.streams();
                    self.inner.stream_raw(stmt).await
                })
            }

            fn stream<'a, S: StatementBuilder + Sync>(
                &'a self,
                stmt: &S,
            ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
                let backend = StreamTrait::get_database_backend(&self.inner);
                let read = Read::of(stmt, backend, Self::IN_TRANSACTION, self.looks_at_statements());
                let streaming = match &read {
                    Some(read) if takes_built::<C>() => self.inner.stream_raw(read.built.clone()),
                    _ => self.inner.stream(stmt),
                };
                Box::pin(async move {
                    self.ready(read.as_ref().and_then(Read::text_that_may_end)).await?;
                    if let Some(sql) = read.as_ref().and_then(Read::text_that_may_write) {
                        self.admit_streamed(sql).await?;
                    }
                    self.streams();
                    streaming.await
                })
            }
        }

        #[async_trait::async_trait]
        impl<C> TransactionTrait for $wrapper<C>
        where
            C: ConnectionTrait + TransactionTrait + Send,
            C::Transaction: 'static,
        {
            type Transaction = StreamedTransaction<C::Transaction>;

            async fn begin(&self) -> Result<Self::Transaction, DbErr> {
                self.ready(None).await?;
                self.wrap(self.watch_begin(self.inner.begin()).await)
            }

            async fn begin_with_config(
                &self,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<Self::Transaction, DbErr> {
                self.ready(None).await?;
                self.wrap(self.watch_begin(self.inner.begin_with_config(isolation_level, access_mode)).await)
            }

            async fn begin_with_options(&self, options: TransactionOptions) -> Result<Self::Transaction, DbErr> {
                self.ready(None).await?;
                self.wrap(self.watch_begin(self.inner.begin_with_options(options)).await)
            }

            async fn transaction<F, R, E>(&self, callback: F) -> Result<R, TransactionError<E>>
            where
                F: for<'c> FnOnce(&'c Self::Transaction) -> Callback<'c, R, E> + Send,
                R: Send,
                E: Display + Debug + Send,
            {
                run(self.begin().await, callback).await
            }

            async fn transaction_with_config<F, R, E>(
                &self,
                callback: F,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<R, TransactionError<E>>
            where
                F: for<'c> FnOnce(&'c Self::Transaction) -> Callback<'c, R, E> + Send,
                R: Send,
                E: Display + Debug + Send,
            {
                run(self.begin_with_config(isolation_level, access_mode).await, callback).await
            }
        }
    };
}

forward!(StreamedConnection, C: TransactionTrait, C::Transaction: Send + 'static);
forward!(StreamedTransaction,);

#[async_trait::async_trait]
impl<T: TransactionSession + ConnectionTrait + Send + 'static> TransactionSession for StreamedTransaction<T> {
    async fn commit(self) -> Result<(), DbErr> {
        StreamedTransaction::commit(self).await
    }

    async fn rollback(self) -> Result<(), DbErr> {
        StreamedTransaction::rollback(self).await
    }
}

/// Commits if the callback succeeds, rolls back if it fails.
async fn run<T, F, R, E>(begun: Result<StreamedTransaction<T>, DbErr>, callback: F) -> Result<R, TransactionError<E>>
where
    T: TransactionSession + ConnectionTrait + Send + 'static,
    F: for<'c> FnOnce(&'c StreamedTransaction<T>) -> Callback<'c, R, E> + Send,
    R: Send,
    E: Display + Debug + Send,
{
    let transaction = begun.map_err(TransactionError::Connection)?;
    let outcome = callback(&transaction).await;
    end(transaction, outcome).await
}

/// Commits what succeeded, rolls back what failed.
pub(crate) async fn end<T, R, E>(
    transaction: StreamedTransaction<T>,
    outcome: Result<R, E>,
) -> Result<R, TransactionError<E>>
where
    T: TransactionSession + ConnectionTrait + Send + 'static,
{
    let ended = match outcome {
        Ok(_) => transaction.commit().await,
        Err(_) => transaction.rollback().await,
    };
    ended.map_err(TransactionError::Connection)?;
    outcome.map_err(TransactionError::Transaction)
}
