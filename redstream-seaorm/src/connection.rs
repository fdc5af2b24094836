//! The connection through which an application writes: SeaORM's, with every write noticed.

use std::sync::Arc;
use std::time::Duration;

use redstream_core::Producer;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr};

use crate::context::Context;
use crate::probe::Tracked;
use crate::scope::Scope;
use crate::transaction::StreamedTransaction;

/// A transaction may be this old before its commit sends its delay messages again.
const RESEND_AFTER: Duration = Duration::from_secs(60);

/// A connection, or pool, whose writes to streamed entities reach their streams. Use it wherever you used the one it wraps.
///
/// Cheap to clone where the wrapped connection is. There is no `Deref` to that one, on purpose: a function that takes
/// `&DatabaseConnection` would then drop the tracking in silence.
#[derive(Clone, Debug)]
pub struct StreamedConnection<C = DatabaseConnection> {
    pub(crate) inner: C,
    pub(crate) context: Arc<Context>,
}

impl<C> StreamedConnection<C> {
    /// Wraps a connection; `producer` writes the messages.
    pub fn new(inner: C, producer: Producer) -> Self {
        Self { inner, context: Arc::new(Context::new(producer, RESEND_AFTER)) }
    }

    /// How old a transaction may be before its commit sends its delay messages again, and waits for them. Default: one
    /// minute. The delayer's delay must be at least five times as long; where it is not, a warning says so.
    #[must_use]
    pub fn resend_after(mut self, age: Duration) -> Self {
        self.context = Arc::new(Context::new(self.context.producer.clone(), age));
        self
    }

    /// The wrapped connection. Writes through it are not noticed by anybody; a streamed entity refuses them where it
    /// can.
    pub fn inner(&self) -> &C {
        &self.inner
    }

    /// The producer that writes the messages.
    pub fn producer(&self) -> &Producer {
        &self.context.producer
    }

    pub(crate) fn tracked(&self) -> Tracked {
        Tracked::Autocommit(self.context.clone())
    }

    /// Runs a statement. What one without a transaction writes was insured before it, so nothing depends on its end.
    pub(crate) async fn watch<F: Future>(&self, statement: F) -> F::Output {
        statement.await
    }

    pub(crate) fn wrap<T>(&self, begun: Result<T, DbErr>) -> Result<StreamedTransaction<T>, DbErr> {
        Ok(StreamedTransaction::new(begun?, Scope::outermost(self.context.clone())))
    }
}

impl<C: ConnectionTrait + Send> StreamedConnection<C> {
    /// The database's kind. As on `DatabaseConnection` it is an inherent method too: two of SeaORM's traits have it, and a
    /// call would not know which is meant.
    pub fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(self)
    }
}
