//! Connections and transactions that wrap others: those that an application or another crate may put around ours, and
//! those that a test puts below ours to interfere between COMMIT and main message.

use std::fmt::{Debug, Display};
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, ExecResult, IsolationLevel, QueryResult, Statement,
    TransactionError, TransactionOptions, TransactionSession, TransactionTrait,
};
use tokio::sync::Notify;

/// A wrapper that knows nothing of streams: it forwards only what it must.
#[derive(Debug)]
pub(crate) struct Forwarding<C>(pub(crate) C);

#[async_trait]
impl<C: ConnectionTrait + Send> ConnectionTrait for Forwarding<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        self.0.execute_raw(stmt).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.0.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.0.query_one_raw(stmt).await
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.0.query_all_raw(stmt).await
    }
}

/// The actions at the points that a test chooses.
#[async_trait]
pub(crate) trait Interference: Debug + Send + Sync + 'static {
    /// Before COMMIT is sent.
    async fn before_commit(&self) {}

    /// After COMMIT succeeded. An error represents an answer that was lost.
    async fn after_commit(&self) -> Result<(), DbErr> {
        Ok(())
    }

    /// Whether statements have RETURNING; otherwise as the database reports.
    fn support_returning(&self) -> Option<bool> {
        None
    }

    /// After a statement in a transaction, before its answer is passed on.
    async fn after_statement_within(&self) {}
}

/// Statements in a transaction whose answers never come.
#[derive(Debug, Default)]
pub(crate) struct Swallowing {
    on: AtomicBool,
    swallowed: Notify,
}

#[async_trait]
impl Interference for Swallowing {
    async fn after_statement_within(&self) {
        if self.on.load(Ordering::Relaxed) {
            self.swallowed.notify_one();
            pending::<()>().await;
        }
    }
}

impl Swallowing {
    /// Drops the statement when the database has done it, before its answer comes.
    pub(crate) async fn cut_off<T>(&self, statement: impl Future<Output = T>) {
        self.on.store(true, Ordering::Relaxed);
        tokio::select! {
            _ = statement => panic!("its answer came"),
            () = self.swallowed.notified() => {}
        }
        self.on.store(false, Ordering::Relaxed);
    }
}

/// A connection with an interference.
#[derive(Clone, Debug)]
pub(crate) struct Interfering<C> {
    inner: C,
    with: Arc<dyn Interference>,
}

impl<C> Interfering<C> {
    pub(crate) fn new(inner: C, with: Arc<dyn Interference>) -> Self {
        Self { inner, with }
    }
}

#[derive(Debug)]
pub(crate) struct InterferingTransaction<T> {
    inner: T,
    with: Arc<dyn Interference>,
}

macro_rules! forward {
    ($name:ident $(, $after_statement:ident)?) => {
        #[async_trait]
        impl<C: ConnectionTrait + Send> ConnectionTrait for $name<C> {
            fn get_database_backend(&self) -> DbBackend {
                self.inner.get_database_backend()
            }

            async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
                let done = self.inner.execute_raw(stmt).await;
                $(self.with.$after_statement().await;)?
                done
            }

            async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
                self.inner.execute_unprepared(sql).await
            }

            async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
                let found = self.inner.query_one_raw(stmt).await;
                $(self.with.$after_statement().await;)?
                found
            }

            async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
                let found = self.inner.query_all_raw(stmt).await;
                $(self.with.$after_statement().await;)?
                found
            }

            fn support_returning(&self) -> bool {
                self.with.support_returning().unwrap_or_else(|| self.inner.support_returning())
            }
        }

        #[async_trait]
        impl<C> TransactionTrait for $name<C>
        where
            C: TransactionTrait + Send,
            C::Transaction: Sync + 'static,
        {
            type Transaction = InterferingTransaction<C::Transaction>;

            async fn begin(&self) -> Result<Self::Transaction, DbErr> {
                Ok(InterferingTransaction { inner: self.inner.begin().await?, with: self.with.clone() })
            }

            async fn begin_with_config(
                &self,
                _: Option<IsolationLevel>,
                _: Option<AccessMode>,
            ) -> Result<Self::Transaction, DbErr> {
                self.begin().await
            }

            async fn begin_with_options(&self, options: TransactionOptions) -> Result<Self::Transaction, DbErr> {
                let inner = self.inner.begin_with_options(options).await?;
                Ok(InterferingTransaction { inner, with: self.with.clone() })
            }

            async fn transaction<F, R, E>(&self, callback: F) -> Result<R, TransactionError<E>>
            where
                F: for<'c> FnOnce(&'c Self::Transaction) -> Callback<'c, R, E> + Send,
                R: Send,
                E: Display + Debug + Send,
            {
                let transaction = self.begin().await.map_err(TransactionError::Connection)?;
                let value = callback(&transaction).await.map_err(TransactionError::Transaction)?;
                transaction.commit().await.map_err(TransactionError::Connection)?;
                Ok(value)
            }

            async fn transaction_with_config<F, R, E>(
                &self,
                callback: F,
                _: Option<IsolationLevel>,
                _: Option<AccessMode>,
            ) -> Result<R, TransactionError<E>>
            where
                F: for<'c> FnOnce(&'c Self::Transaction) -> Callback<'c, R, E> + Send,
                R: Send,
                E: Display + Debug + Send,
            {
                self.transaction(callback).await
            }
        }
    };
}

forward!(Interfering);
forward!(InterferingTransaction, after_statement_within);

type Callback<'c, R, E> = Pin<Box<dyn Future<Output = Result<R, E>> + Send + 'c>>;

#[async_trait]
impl<T: TransactionSession + Send + 'static> TransactionSession for InterferingTransaction<T> {
    async fn commit(self) -> Result<(), DbErr> {
        self.with.before_commit().await;
        self.inner.commit().await?;
        self.with.after_commit().await
    }

    async fn rollback(self) -> Result<(), DbErr> {
        self.inner.rollback().await
    }
}
