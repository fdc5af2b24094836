//! A database whose transactions never return from COMMIT: the COMMIT is done, and the caller is not told. A process
//! that is killed there died exactly between COMMIT and main message.

use std::pin::Pin;

use redstream_processes::report;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult,
    Statement, TransactionError, TransactionOptions, TransactionSession, TransactionTrait,
};

use super::Report;

/// A connection, or a transaction on it.
pub(super) struct Halting<C>(pub(super) C);

#[async_trait::async_trait]
impl TransactionSession for Halting<DatabaseTransaction> {
    async fn commit(self) -> Result<(), DbErr> {
        self.0.commit().await?;
        report(&Report::Committed).map_err(|e| DbErr::Custom(e.to_string()))?;
        std::future::pending().await
    }

    async fn rollback(self) -> Result<(), DbErr> {
        self.0.rollback().await
    }
}

#[async_trait::async_trait]
impl<C: ConnectionTrait> ConnectionTrait for Halting<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.0.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.0.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.0.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.0.query_all_raw(statement).await
    }
}

#[async_trait::async_trait]
impl<C> TransactionTrait for Halting<C>
where
    C: TransactionTrait<Transaction = DatabaseTransaction> + Sync,
{
    type Transaction = Halting<DatabaseTransaction>;

    async fn begin(&self) -> Result<Self::Transaction, DbErr> {
        self.0.begin().await.map(Halting)
    }

    async fn begin_with_config(
        &self,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<Self::Transaction, DbErr> {
        self.0.begin_with_config(isolation_level, access_mode).await.map(Halting)
    }

    async fn begin_with_options(&self, options: TransactionOptions) -> Result<Self::Transaction, DbErr> {
        self.0.begin_with_options(options).await.map(Halting)
    }

    async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Self::Transaction) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>> + Send,
        T: Send,
        E: std::fmt::Display + std::fmt::Debug + Send,
    {
        self.transaction_with_config(callback, None, None).await
    }

    async fn transaction_with_config<F, T, E>(
        &self,
        callback: F,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<T, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c Self::Transaction) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>> + Send,
        T: Send,
        E: std::fmt::Display + std::fmt::Debug + Send,
    {
        let transaction =
            self.begin_with_config(isolation_level, access_mode).await.map_err(TransactionError::Connection)?;
        let outcome = callback(&transaction).await.map_err(TransactionError::Transaction);
        let ended = if outcome.is_ok() { transaction.commit().await } else { transaction.rollback().await };
        ended.map_err(TransactionError::Connection)?;
        outcome
    }
}
