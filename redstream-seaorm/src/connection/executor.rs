//! SeaORM's `DatabaseExecutor` is a closed enum over its own types, so it would lose the tracking. This one keeps it.

use std::fmt::{Debug, Display};
use std::pin::Pin;

#[cfg(feature = "entity-registry")]
use sea_orm::EntityRegistry;
use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult, Schema, SchemaBuilder,
    Statement, StatementBuilder, TransactionError, TransactionOptions, TransactionTrait,
};

use crate::connection::StreamedConnection;
use crate::connection::transaction::StreamedTransaction;

/// What a closure for `transaction` returns.
type Callback<'c, R, E> = Pin<Box<dyn Future<Output = Result<R, E>> + Send + 'c>>;

/// A connection or a transaction, for functions that take either: SeaORM's type of that name, with every write tracked.
///
/// ```
/// # use redstream_seaorm::Streamed;
/// # mod city {
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, redstream_seaorm::Streamed)]
/// #     #[sea_orm(table_name = "cities")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// # }
/// use redstream_seaorm::drop_in::{DbErr, IntoDatabaseExecutor, Set, TransactionTrait, entity::*};
///
/// async fn found(name: &str, db: impl IntoDatabaseExecutor<'_>) -> Result<city::Model, DbErr> {
///     let txn = db.into_database_executor().begin().await?;
///     let city = city::ActiveModel { name: Set(name.to_owned()), ..Default::default() }.insert(&txn).await?;
///     txn.commit().await?;
///     Ok(city)
/// }
/// ```
#[derive(Debug)]
pub enum DatabaseExecutor<'c> {
    /// A borrowed connection.
    Connection(&'c StreamedConnection),
    /// A borrowed transaction.
    Transaction(&'c StreamedTransaction),
    /// A transaction that is owned and rolls back when dropped, unless it is committed before.
    OwnedTransaction(StreamedTransaction),
}

/// What converts into a [`DatabaseExecutor`]: `&StreamedConnection`, `&StreamedTransaction`, `StreamedTransaction`.
pub trait IntoDatabaseExecutor<'c>: Send + 'c {
    /// Makes the executor.
    fn into_database_executor(self) -> DatabaseExecutor<'c>;
}

/// The same expression on either variant.
macro_rules! each {
    ($executor:expr, $db:ident => $call:expr) => {
        match $executor {
            DatabaseExecutor::Connection($db) => $call,
            DatabaseExecutor::Transaction($db) => $call,
            DatabaseExecutor::OwnedTransaction($db) => $call,
        }
    };
}

impl DatabaseExecutor<'_> {
    /// Whether it is a transaction, borrowed or owned.
    pub fn is_transaction(&self) -> bool {
        !matches!(self, Self::Connection(_))
    }

    /// A builder of schemas for this backend.
    pub fn get_schema_builder(&self) -> SchemaBuilder {
        Schema::new(self.get_database_backend()).builder()
    }

    /// A builder of the schema of all entities in a module.
    #[cfg(feature = "entity-registry")]
    pub fn get_schema_registry(&self, prefix: &str) -> SchemaBuilder {
        EntityRegistry::build_schema(Schema::new(self.get_database_backend()), prefix)
    }

    /// Runs the function in a transaction: commits if it succeeds, rolls back if it fails.
    ///
    /// # Errors
    ///
    /// What the function returns, and errors of the begin, the commit or the insurance.
    pub async fn transaction_async<F, R, E>(&self, callback: F) -> Result<R, TransactionError<E>>
    where
        F: for<'c> AsyncFnOnce(&'c StreamedTransaction) -> Result<R, E> + Send,
        R: Send,
        E: Display + Debug + Send,
    {
        each!(self, db => db.transaction_async(callback).await)
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
        F: for<'c> AsyncFnOnce(&'c StreamedTransaction) -> Result<R, E> + Send,
        R: Send,
        E: Display + Debug + Send,
    {
        each!(self, db => db.transaction_with_config_async(callback, isolation_level, access_mode).await)
    }
}

impl<'c> From<&'c StreamedConnection> for DatabaseExecutor<'c> {
    fn from(connection: &'c StreamedConnection) -> Self {
        Self::Connection(connection)
    }
}

impl<'c> From<&'c StreamedTransaction> for DatabaseExecutor<'c> {
    fn from(transaction: &'c StreamedTransaction) -> Self {
        Self::Transaction(transaction)
    }
}

impl From<StreamedTransaction> for DatabaseExecutor<'_> {
    fn from(transaction: StreamedTransaction) -> Self {
        Self::OwnedTransaction(transaction)
    }
}

impl<'c, T: Into<DatabaseExecutor<'c>> + Send + 'c> IntoDatabaseExecutor<'c> for T {
    fn into_database_executor(self) -> DatabaseExecutor<'c> {
        self.into()
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for DatabaseExecutor<'_> {
    fn get_database_backend(&self) -> DbBackend {
        each!(self, db => db.get_database_backend())
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        each!(self, db => db.execute_raw(stmt).await)
    }

    async fn execute<S: StatementBuilder>(&self, stmt: &S) -> Result<ExecResult, DbErr> {
        each!(self, db => db.execute(stmt).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        each!(self, db => db.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        each!(self, db => db.query_one_raw(stmt).await)
    }

    async fn query_one<S: StatementBuilder>(&self, stmt: &S) -> Result<Option<QueryResult>, DbErr> {
        each!(self, db => db.query_one(stmt).await)
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        each!(self, db => db.query_all_raw(stmt).await)
    }

    async fn query_all<S: StatementBuilder>(&self, stmt: &S) -> Result<Vec<QueryResult>, DbErr> {
        each!(self, db => db.query_all(stmt).await)
    }

    fn support_returning(&self) -> bool {
        each!(self, db => db.support_returning())
    }

    fn is_mock_connection(&self) -> bool {
        each!(self, db => db.is_mock_connection())
    }
}

#[async_trait::async_trait]
impl TransactionTrait for DatabaseExecutor<'_> {
    type Transaction = StreamedTransaction;

    async fn begin(&self) -> Result<StreamedTransaction, DbErr> {
        each!(self, db => db.begin().await)
    }

    async fn begin_with_config(
        &self,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<StreamedTransaction, DbErr> {
        each!(self, db => db.begin_with_config(isolation_level, access_mode).await)
    }

    async fn begin_with_options(&self, options: TransactionOptions) -> Result<StreamedTransaction, DbErr> {
        each!(self, db => db.begin_with_options(options).await)
    }

    async fn transaction<F, R, E>(&self, callback: F) -> Result<R, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c StreamedTransaction) -> Callback<'c, R, E> + Send,
        R: Send,
        E: Display + Debug + Send,
    {
        each!(self, db => db.transaction(callback).await)
    }

    async fn transaction_with_config<F, R, E>(
        &self,
        callback: F,
        isolation_level: Option<IsolationLevel>,
        access_mode: Option<AccessMode>,
    ) -> Result<R, TransactionError<E>>
    where
        F: for<'c> FnOnce(&'c StreamedTransaction) -> Callback<'c, R, E> + Send,
        R: Send,
        E: Display + Debug + Send,
    {
        each!(self, db => db.transaction_with_config(callback, isolation_level, access_mode).await)
    }
}
