//! SeaORM's connection traits for our two wrappers: every method forwarded, those with a default too, since the wrapped type may have
//! its own.

use std::fmt::{Debug, Display};
use std::pin::Pin;

#[cfg(feature = "stream")]
use sea_orm::StreamTrait;
use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult, Statement,
    StatementBuilder, TransactionError, TransactionOptions, TransactionSession, TransactionTrait,
};

use crate::probe;
use crate::{StreamedConnection, StreamedTransaction};

/// What a closure for `transaction` returns.
type Callback<'c, R, E> = Pin<Box<dyn Future<Output = Result<R, E>> + Send + 'c>>;

macro_rules! forward {
    ($wrapper:ident) => {
        #[async_trait::async_trait]
        impl<C: ConnectionTrait + Send> ConnectionTrait for $wrapper<C> {
            fn get_database_backend(&self) -> DbBackend {
                probe::answer(|| self.tracked());
                self.inner.get_database_backend()
            }

            async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
                self.watch(self.inner.execute_raw(stmt)).await
            }

            async fn execute<S: StatementBuilder>(&self, stmt: &S) -> Result<ExecResult, DbErr> {
                self.watch(self.inner.execute(stmt)).await
            }

            async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
                self.watch(self.inner.execute_unprepared(sql)).await
            }

            async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
                self.watch(self.inner.query_one_raw(stmt)).await
            }

            async fn query_one<S: StatementBuilder>(&self, stmt: &S) -> Result<Option<QueryResult>, DbErr> {
                self.watch(self.inner.query_one(stmt)).await
            }

            async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
                self.watch(self.inner.query_all_raw(stmt)).await
            }

            async fn query_all<S: StatementBuilder>(&self, stmt: &S) -> Result<Vec<QueryResult>, DbErr> {
                self.watch(self.inner.query_all(stmt)).await
            }

            fn support_returning(&self) -> bool {
                self.inner.support_returning()
            }

            fn is_mock_connection(&self) -> bool {
                self.inner.is_mock_connection()
            }
        }

        #[cfg(feature = "stream")]
        impl<C: StreamTrait> StreamTrait for $wrapper<C> {
            type Stream<'a>
                = C::Stream<'a>
            where
                Self: 'a;

            fn get_database_backend(&self) -> DbBackend {
                self.inner.get_database_backend()
            }

            fn stream_raw<'a>(
                &'a self,
                stmt: Statement,
            ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
                self.inner.stream_raw(stmt)
            }

            fn stream<'a, S: StatementBuilder + Sync>(
                &'a self,
                stmt: &S,
            ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
                self.inner.stream(stmt)
            }
        }

        #[async_trait::async_trait]
        impl<C> TransactionTrait for $wrapper<C>
        where
            C: TransactionTrait + Send,
            C::Transaction: Sync + 'static,
        {
            type Transaction = StreamedTransaction<C::Transaction>;

            async fn begin(&self) -> Result<Self::Transaction, DbErr> {
                self.wrap(self.inner.begin().await)
            }

            async fn begin_with_config(
                &self,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<Self::Transaction, DbErr> {
                self.wrap(self.inner.begin_with_config(isolation_level, access_mode).await)
            }

            async fn begin_with_options(&self, options: TransactionOptions) -> Result<Self::Transaction, DbErr> {
                self.wrap(self.inner.begin_with_options(options).await)
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

forward!(StreamedConnection);
forward!(StreamedTransaction);

#[async_trait::async_trait]
impl<T: TransactionSession + Send + 'static> TransactionSession for StreamedTransaction<T> {
    async fn commit(self) -> Result<(), DbErr> {
        StreamedTransaction::commit(self).await
    }

    async fn rollback(self) -> Result<(), DbErr> {
        StreamedTransaction::rollback(self).await
    }
}

/// Commits where the callback succeeds, rolls back where it fails.
async fn run<T, F, R, E>(begun: Result<StreamedTransaction<T>, DbErr>, callback: F) -> Result<R, TransactionError<E>>
where
    T: TransactionSession + Send + Sync + 'static,
    F: for<'c> FnOnce(&'c StreamedTransaction<T>) -> Callback<'c, R, E> + Send,
    R: Send,
    E: Display + Debug + Send,
{
    let transaction = begun.map_err(TransactionError::Connection)?;
    match callback(&transaction).await {
        Ok(value) => {
            transaction.commit().await.map_err(TransactionError::Connection)?;
            Ok(value)
        }
        Err(error) => {
            transaction.rollback().await.map_err(TransactionError::Connection)?;
            Err(TransactionError::Transaction(error))
        }
    }
}
