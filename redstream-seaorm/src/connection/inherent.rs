//! The inherent methods that applications call on SeaORM's types, for ours.

use std::fmt::{Debug, Display};

#[cfg(feature = "entity-registry")]
use sea_orm::EntityRegistry;
use sea_orm::{
    AccessMode, ConnectionTrait, DbErr, IsolationLevel, Schema, SchemaBuilder, TransactionError, TransactionSession,
    TransactionTrait, metric,
};

use crate::connection::StreamedConnection;
use crate::connection::connection_trait::end;
use crate::connection::transaction::StreamedTransaction;

/// Methods of both connections and transactions.
macro_rules! common {
    ($wrapper:ident) => {
        impl<C> $wrapper<C>
        where
            C: ConnectionTrait + TransactionTrait + Send,
            C::Transaction: 'static,
        {
            /// Runs the function in a transaction: commits if it succeeds, rolls back if it fails.
            ///
            /// # Errors
            ///
            /// What the function returns, and errors of the begin, the commit or the insurance.
            pub async fn transaction_async<F, R, E>(&self, callback: F) -> Result<R, TransactionError<E>>
            where
                F: for<'c> AsyncFnOnce(&'c StreamedTransaction<C::Transaction>) -> Result<R, E> + Send,
                R: Send,
                E: Display + Debug + Send,
            {
                run(self.begin().await, callback).await
            }

            /// [`transaction_async`](Self::transaction_async) with an isolation level, an access mode, or both.
            ///
            /// # Errors
            ///
            /// As that method.
            pub async fn transaction_with_config_async<F, R, E>(
                &self,
                callback: F,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<R, TransactionError<E>>
            where
                F: for<'c> AsyncFnOnce(&'c StreamedTransaction<C::Transaction>) -> Result<R, E> + Send,
                R: Send,
                E: Display + Debug + Send,
            {
                run(self.begin_with_config(isolation_level, access_mode).await, callback).await
            }
        }

        /// SeaORM's schema builder reads the existing schema through it.
        #[cfg(feature = "schema-sync")]
        #[async_trait::async_trait]
        impl<C: sea_schema::Connection + Send> sea_schema::Connection for $wrapper<C> {
            async fn query_all(
                &self,
                select: sea_orm::sea_query::SelectStatement,
            ) -> Result<Vec<sea_schema::sqlx_types::SqlxRow>, sea_schema::sqlx_types::SqlxError> {
                self.inner.query_all(select).await
            }

            async fn query_all_raw(
                &self,
                sql: String,
            ) -> Result<Vec<sea_schema::sqlx_types::SqlxRow>, sea_schema::sqlx_types::SqlxError> {
                self.inner.query_all_raw(sql).await
            }
        }
    };
}

common!(StreamedConnection);
common!(StreamedTransaction);

/// Commits if the callback succeeds, rolls back if it fails.
async fn run<T, F, R, E>(begun: Result<StreamedTransaction<T>, DbErr>, callback: F) -> Result<R, TransactionError<E>>
where
    T: TransactionSession + ConnectionTrait + Send + 'static,
    F: for<'c> AsyncFnOnce(&'c StreamedTransaction<T>) -> Result<R, E>,
    E: Display + Debug,
{
    let transaction = begun.map_err(TransactionError::Connection)?;
    let outcome = callback(&transaction).await;
    end(transaction, outcome).await
}

impl StreamedConnection {
    /// A builder of schemas for this backend.
    pub fn get_schema_builder(&self) -> SchemaBuilder {
        Schema::new(self.inner.get_database_backend()).builder()
    }

    /// A builder of the schema of all entities in a module.
    #[cfg(feature = "entity-registry")]
    pub fn get_schema_registry(&self, prefix: &str) -> SchemaBuilder {
        EntityRegistry::build_schema(Schema::new(self.inner.get_database_backend()), prefix)
    }

    /// Calls this with the metrics of every statement. Clones made before do not call it.
    pub fn set_metric_callback<F>(&mut self, callback: F)
    where
        F: Fn(&metric::Info<'_>) + Send + Sync + 'static,
    {
        self.inner.set_metric_callback(callback);
    }

    /// Asks the database to answer. Redis is not asked.
    ///
    /// # Errors
    ///
    /// If the database does not answer.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.inner.ping().await
    }

    /// Closes the pool, for all clones too. The connections to Redis belong to its `Redstream` handle and stay.
    ///
    /// # Errors
    ///
    /// As SeaORM's own `close`.
    pub async fn close(self) -> Result<(), DbErr> {
        self.inner.close().await
    }

    /// [`close`](Self::close) by reference.
    ///
    /// # Errors
    ///
    /// As that method.
    pub async fn close_by_ref(&self) -> Result<(), DbErr> {
        self.inner.close_by_ref().await
    }

    /// The underlying pool. Writes through it are not tracked.
    ///
    /// # Panics
    ///
    /// If this is no connection to `MySQL` or `MariaDB`.
    #[cfg(feature = "sqlx-mysql")]
    pub fn get_mysql_connection_pool(&self) -> &sea_orm::sqlx::MySqlPool {
        self.inner.get_mysql_connection_pool()
    }

    /// The underlying pool. Writes through it are not tracked.
    ///
    /// # Panics
    ///
    /// If this is no connection to `PostgreSQL`.
    #[cfg(feature = "sqlx-postgres")]
    pub fn get_postgres_connection_pool(&self) -> &sea_orm::sqlx::PgPool {
        self.inner.get_postgres_connection_pool()
    }

    /// The underlying pool. Writes through it are not tracked.
    ///
    /// # Panics
    ///
    /// If this is no connection to `SQLite`.
    #[cfg(feature = "sqlx-sqlite")]
    pub fn get_sqlite_connection_pool(&self) -> &sea_orm::sqlx::SqlitePool {
        self.inner.get_sqlite_connection_pool()
    }

    /// The underlying mock.
    ///
    /// # Panics
    ///
    /// If this is no connection to a mock.
    #[cfg(feature = "mock")]
    pub fn as_mock_connection(&self) -> &sea_orm::MockDatabaseConnection {
        self.inner.as_mock_connection()
    }

    /// The log of the underlying mock.
    ///
    /// # Panics
    ///
    /// If this is no connection to a mock.
    #[cfg(feature = "mock")]
    pub fn into_transaction_log(self) -> Vec<sea_orm::Transaction> {
        self.inner.into_transaction_log()
    }
}
