//! The connection through which an application writes: SeaORM's, with every write tracked.
//!
//! # Layout
//! - `connection_trait` forwards SeaORM's traits, and asks the guard about each statement;
//! - a statement that a hook has announced runs as a `statement` of the open transaction, or with `autocommit` in one
//!   of its own; `follow_up` insures and announces its rows;
//! - `builder` has the options; `transaction` commits and rolls back;
//! - `inherent`, `executor`, `rbac` and `save_in_transaction` have the other methods that applications call; `watched`
//!   is for code that takes SeaORM's own connection.
//!
//! May use `hooks`, `unit_of_work`, `guard`, `outbox`, `entity`, `fault` and `error`.

mod autocommit;
pub(crate) mod builder;
mod connection_trait;
pub(crate) mod executor;
mod follow_up;
mod inherent;
#[cfg(feature = "rbac")]
mod rbac;
mod read;
pub(crate) mod save_in_transaction;
mod statement;
pub(crate) mod transaction;
mod watched;

use std::future::{Ready, ready};
use std::sync::Arc;

use redstream_core::Producer;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, TransactionTrait};

use self::autocommit::AutocommitStatement;
use self::builder::StreamedConnectionBuilder;
use self::transaction::StreamedTransaction;
use crate::guard::admission::Admission;
use crate::guard::{Guard, Text};
use crate::hooks::lookup::Target;
use crate::hooks::task_scope::TaskScope;
use crate::outbox::relay::Relay;
use crate::unit_of_work::UnitOfWork;
use crate::unit_of_work::shared::Shared;

/// A connection, or pool, whose writes to streamed entities reach their streams. Use it in place of the one it wraps.
///
/// Cheap to clone if the wrapped connection is. It has no `Deref` to that connection, on purpose: a function that takes
/// `&DatabaseConnection` would then lose the tracking silently.
#[derive(Clone, Debug)]
pub struct StreamedConnection<C = DatabaseConnection> {
    pub(crate) inner: C,
    pub(crate) shared: Arc<Shared>,
}

impl<C> StreamedConnection<C> {
    /// The wrapped connection. Writes through it are not tracked; a streamed entity refuses them if it can.
    pub fn inner(&self) -> &C {
        &self.inner
    }

    /// The producer that writes the messages.
    pub fn producer(&self) -> &Producer {
        &self.shared.producer
    }

    /// Runs `future`. Meanwhile, hooks that are given SeaORM's own connections behave as if these were this one:
    ///
    /// ```no_run
    /// # use redstream_seaorm::StreamedConnection;
    /// # use sea_orm::{DatabaseConnection, DbErr};
    /// # async fn seed(_: &DatabaseConnection) -> Result<(), DbErr> { Ok(()) }
    /// # async fn example(db: StreamedConnection) -> Result<(), DbErr> {
    /// db.scope(seed(db.inner())).await
    /// # }
    /// ```
    ///
    /// For code that requires SeaORM's types. Prefer the streamed types if you can, since neither the statements nor
    /// the commits are seen here:
    ///
    /// - a save waits for Redis to acknowledge its delay message, whatever [`Insurance`](crate::Insurance) is chosen; a
    ///   record that the scope has written before stays insured for
    ///   [`resend_after`](StreamedConnectionBuilder::resend_after);
    /// - main messages go out when `future` ends, also those of writes that were rolled back, which makes consumers
    ///   read unchanged rows; so begin and commit transactions inside;
    /// - an insert whose key the database generates is refused outside a transaction;
    /// - `update_many`, `delete_many`, `insert_many` and raw SQL are missed, and so are saves of entities whose own
    ///   behaviour calls no hook. Pass [`watched`](Self::watched) instead of the connection itself to get a warning for
    ///   each; `docs/frameworks.md` says what to do instead for seaography and loco;
    /// - it does not apply to tasks that `future` spawns: there a save is refused, as it is without a scope.
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        TaskScope::run(self.shared.clone(), future).await
    }

    pub(crate) fn target(&self) -> Target {
        Target::Autocommit(self.shared.clone())
    }

    pub(crate) fn admit(&self, text: &Text<'_>) -> Result<Admission, DbErr> {
        let Shared { guard, permits, settings, .. } = &*self.shared;
        guard.admit(text, &std::iter::once(&**permits), settings.nested)
    }

    pub(crate) fn bypass_guard(&self) -> &Guard {
        &self.shared.guard
    }

    /// Without a transaction there is none to end.
    pub(crate) const IN_TRANSACTION: bool = false;

    #[expect(clippy::unused_self, reason = "the method of the same name of a transaction needs it")]
    pub(crate) fn ready(&self, _: Option<&str>) -> Ready<Result<(), DbErr>> {
        ready(Ok(()))
    }

    /// If begin fails, there is no transaction to clean up.
    #[expect(clippy::unused_self, reason = "the method of the same name of a transaction needs it")]
    pub(crate) fn watch_begin<F: Future>(&self, begin: F) -> F {
        begin
    }

    /// The end of a stream is not observed; see that method of a transaction.
    #[cfg(feature = "stream")]
    #[expect(clippy::unused_self, reason = "the method of the same name of a transaction needs it")]
    pub(crate) fn streams(&self) {}

    pub(crate) fn looks_at_statements(&self) -> bool {
        self.shared.guard.looks(&self.shared.permits)
    }

    pub(crate) fn wrap<T>(&self, begun: Result<T, DbErr>) -> Result<StreamedTransaction<T>, DbErr> {
        Ok(StreamedTransaction::new(begun?, UnitOfWork::outermost(self.shared.clone())))
    }
}

impl<C: Clone> StreamedConnection<C> {
    /// A builder with the settings of this connection. The result is the same connection with other settings: both
    /// share the [relay](Self::relay) that they wake, the known state of Redis, and the warnings already given.
    ///
    /// ```no_run
    /// # use redstream_seaorm::{BypassGuard, StreamedConnection};
    /// # fn example(db: &StreamedConnection) -> StreamedConnection {
    /// db.to_builder().guard(BypassGuard::Off).build()
    /// # }
    /// ```
    pub fn to_builder(&self) -> StreamedConnectionBuilder<C> {
        StreamedConnectionBuilder::of(self)
    }

    /// The worker that moves what this connection, or any other, writes to the [outbox](crate::outbox).
    ///
    /// It looks at once after a commit of this connection, or of one built from it, that wrote to it, and in intervals
    /// for other commits.
    pub fn relay(&self) -> Relay<C> {
        Relay::new(self.inner.clone(), self.shared.producer.clone(), self.shared.commits.clone())
    }
}

impl<C: ConnectionTrait + Send> StreamedConnection<C> {
    /// Wraps a connection; `producer` writes the messages. Uses the defaults; [`builder`](Self::builder) has the
    /// options.
    pub fn new(inner: C, producer: Producer) -> Self {
        Self::builder(inner, producer).build()
    }

    /// Wraps a connection, with options:
    ///
    /// ```no_run
    /// # use redstream_seaorm::{BypassGuard, Insurance, Redstream, StreamedConnection};
    /// # use sea_orm::DatabaseConnection;
    /// # fn example(database: DatabaseConnection, redstream: &Redstream) -> StreamedConnection {
    /// StreamedConnection::builder(database, redstream.producer())
    ///     .insurance(Insurance::RedisElseOutbox)
    ///     .guard(BypassGuard::Deny)
    ///     .build()
    /// # }
    /// ```
    pub fn builder(inner: C, producer: Producer) -> StreamedConnectionBuilder<C> {
        StreamedConnectionBuilder::new(inner, producer)
    }
}

impl<C> StreamedConnection<C>
where
    C: ConnectionTrait + TransactionTrait + Send,
    C::Transaction: Send + 'static,
{
    /// The database's kind. An inherent method, as on `DatabaseConnection`, because two of SeaORM's traits have it and
    /// a call would be ambiguous.
    pub fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(self)
    }

    /// Begins a transaction of its own for a statement that a hook has announced.
    pub(crate) async fn attend(&self, admission: Admission) -> Result<AutocommitStatement<C::Transaction>, DbErr> {
        AutocommitStatement::begin(&self.shared, admission, self.inner.begin()).await
    }

    /// Runs a statement, in a transaction of its own if there is follow-up work.
    #[expect(clippy::unused_self, reason = "the method of the same name of a transaction needs it")]
    pub(crate) fn run_statement<F: Future>(&self, statement: F) -> F {
        statement
    }
}
