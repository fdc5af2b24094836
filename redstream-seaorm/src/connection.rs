//! The connection through which an application writes: SeaORM's, with every write noticed.
//!
//! # Layout
//! - `connection_trait` forwards SeaORM's traits, and asks the guard about each statement;
//! - a statement that a hook has announced runs as a `statement` of the open transaction, or with `autocommit` in one of its
//!   own; `follow_up` is what is insured and announced of its rows;
//! - `transaction` commits and rolls back;
//! - `inherent`, `executor`, `rbac` and `save_in_transaction` are what applications call besides; `watched` is for code that takes
//!   SeaORM's own connection.
//!
//! May use `hooks`, `unit_of_work`, `guard`, `outbox`, `entity`, `fault` and `error`.

mod autocommit;
mod connection_trait;
pub(crate) mod executor;
mod follow_up;
mod inherent;
#[cfg(feature = "rbac")]
mod rbac;
pub(crate) mod save_in_transaction;
mod statement;
pub(crate) mod transaction;
mod watched;

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use redstream_core::Producer;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, TransactionTrait};

use self::autocommit::AutocommitStatement;
use self::transaction::StreamedTransaction;
use crate::guard::admission::Admission;
use crate::guard::{BypassGuard, Guard, Text};
use crate::hooks::lookup::{self, Tracked};
use crate::hooks::task_scope::TaskScope;
use crate::outbox::relay::Relay;
use crate::unit_of_work::UnitOfWork;
use crate::unit_of_work::insurance::Insurance;
use crate::unit_of_work::shared::{Settings, Shared};

/// A transaction may be this old before its commit sends its delay messages again.
const RESEND_AFTER: Duration = Duration::from_secs(60);

/// Many times what a Redis that is well takes, and hardly to be noticed by whoever waits for a commit.
const OUTBOX_AFTER: Duration = Duration::from_millis(500);

/// Longer than workers take to come up.
const WARN_FORGOTTEN: Duration = Duration::from_secs(60);

/// A connection, or pool, whose writes to streamed entities reach their streams. Use it wherever you used the one it wraps.
///
/// Cheap to clone where the wrapped connection is. There is no `Deref` to that one, on purpose: a function that takes
/// `&DatabaseConnection` would then drop the tracking in silence.
#[derive(Clone, Debug)]
pub struct StreamedConnection<C = DatabaseConnection> {
    pub(crate) inner: C,
    pub(crate) context: Arc<Shared>,
}

impl<C> StreamedConnection<C> {
    /// The wrapped connection. Writes through it are not noticed by anybody; a streamed entity refuses them where it
    /// can.
    pub fn inner(&self) -> &C {
        &self.inner
    }

    /// The producer that writes the messages.
    pub fn producer(&self) -> &Producer {
        &self.context.producer
    }

    /// How old a transaction may be before its commit sends its delay messages again, and waits for them. Default: one
    /// minute. The delayer's delay must be at least five times as long; where it is not, a warning says so.
    #[must_use]
    pub fn resend_after(self, age: Duration) -> Self {
        self.with(|settings| settings.resend_after = age)
    }

    /// What insures a write before its commit. Default: [`Insurance::Redis`].
    #[must_use]
    pub fn insurance(self, insurance: Insurance) -> Self {
        self.with(|settings| settings.insurance = insurance)
    }

    /// How long a commit gives Redis to acknowledge its delay messages before it turns to the outbox, with
    /// [`Insurance::RedisElseOutbox`]. Default: half a second.
    #[must_use]
    pub fn outbox_after(self, patience: Duration) -> Self {
        self.with(|settings| settings.outbox_after = patience)
    }

    /// What happens to statements that write a streamed table and go round the hooks. Default: [`BypassGuard::Warn`].
    #[must_use]
    pub fn guard(self, guard: BypassGuard) -> Self {
        self.with(|settings| settings.guard = guard)
    }

    /// Has a commit's main messages remove the delay messages of the same transaction, in one step of Redis, so that consumers
    /// handle each change once and not a second time when its delay has passed: **all** consumers, whatever each of them says.
    /// Default: off, and each consumer says for itself, by [`skip_repeats`](redstream_core::Consumer::skip_repeats), whether it wants
    /// the second one.
    ///
    /// **Leave it off** where some consumer's datastore takes writes without comparing [versions](crate::Changes::version), and
    /// where some consumer reads rows from a replica: there the second handling is what repairs a late write or a stale
    /// read. What is written within [`scope`](Self::scope) keeps its delay messages.
    #[must_use]
    pub fn remove_delay_messages(self, on: bool) -> Self {
        self.with(|settings| settings.settles = on)
    }

    /// Has a commit return when the database has committed, and its main messages follow without being waited for: a commit then
    /// takes one round trip to Redis less. Default: off, and a commit returns when its main messages are there.
    ///
    /// Nothing can be lost by it: the delay messages are still acknowledged before COMMIT, and bring what a crash keeps from being
    /// announced. **Leave it off** in programs that end right after a commit, whose changes would come only when the delay
    /// has passed; and where what follows the commit expects the message in the stream, as tests do. A main message that could
    /// not be written is logged and counted as ever. [`commit_with_token`](StreamedTransaction::commit_with_token) waits in any case.
    #[must_use]
    pub fn announce_in_background(self, on: bool) -> Self {
        self.with(|settings| settings.in_background = on)
    }

    /// How long changes may be written before a warning says that nothing brings them on: that no consumer is registered with a stream
    /// whose oldest message stays where it is (looked at twice in that distance), or that changes are in the outbox and this program has
    /// made no [`relay`](Self::relay). Once each. Default: one minute.
    #[must_use]
    pub fn warn_forgotten(self, after: Duration) -> Self {
        self.with(|settings| settings.warn_forgotten = after)
    }

    /// Runs `future`, and has hooks that are given SeaORM's own connections meanwhile behave as if they were this one:
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
    /// For code that insists on SeaORM's types. Prefer the streamed types where you can, since the statements are not seen here,
    /// nor the commits:
    ///
    /// - a save waits for Redis to acknowledge its delay message, whatever [`Insurance`](crate::Insurance) is chosen; that of a
    ///   record which the scope has written before counts for [`resend_after`](Self::resend_after);
    /// - main messages go out when `future` ends, also those of writes that were rolled back, which makes consumers read
    ///   unchanged rows; so begin and commit transactions inside;
    /// - an insert whose key the database generates is refused outside a transaction;
    /// - `update_many`, `delete_many`, `insert_many` and raw SQL are missed, and so are saves of entities whose own behaviour calls no
    ///   hook. Hand in [`watched`](Self::watched) instead of the connection itself, and a warning says so; `docs/frameworks.md` says what to
    ///   do instead for seaography and loco;
    /// - it does not reach into tasks that `future` spawns: there a save is refused, as it is without a scope.
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        TaskScope::run(self.context.clone(), future).await
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.context.settings;
        change(&mut settings);
        let mut context = Shared::new(self.context.producer.clone(), settings);
        context.commits = self.context.commits.clone();
        self.context = Arc::new(context);
        self
    }

    pub(crate) fn tracked(&self) -> Tracked {
        Tracked::Autocommit(self.context.clone())
    }

    pub(crate) fn admit(&self, text: &Text<'_>) -> Result<Admission, DbErr> {
        let Shared { guard, permits, settings, .. } = &*self.context;
        guard.admit(text, &std::iter::once(permits), settings.nested)
    }

    pub(crate) fn bypass_guard(&self) -> &Guard {
        &self.context.guard
    }

    /// Without a transaction there is none to be ended.
    pub(crate) const IN_TRANSACTION: bool = false;

    #[expect(clippy::unused_self, reason = "the method of the same name of a transaction needs it")]
    pub(crate) fn ready(&self, _: Option<&str>) -> Ready<Result<(), DbErr>> {
        ready(Ok(()))
    }

    /// A transaction that is not begun leaves none behind.
    #[expect(clippy::unused_self, reason = "the method of the same name of a transaction needs it")]
    pub(crate) fn begins<F: Future>(&self, begin: F) -> F {
        begin
    }

    /// A stream fails unseen; see that method of a transaction.
    #[cfg(feature = "stream")]
    #[expect(clippy::unused_self, reason = "the method of the same name of a transaction needs it")]
    pub(crate) fn streams(&self) {}

    pub(crate) fn looks_at_statements(&self) -> bool {
        self.context.guard.looks(&self.context.permits)
    }

    pub(crate) fn wrap<T>(&self, begun: Result<T, DbErr>) -> Result<StreamedTransaction<T>, DbErr> {
        Ok(StreamedTransaction::new(begun?, UnitOfWork::outermost(self.context.clone())))
    }
}

impl<C: Clone> StreamedConnection<C> {
    /// The worker that moves what this connection, or any other, writes to the [outbox](crate::outbox).
    ///
    /// It looks at once when a commit of this connection wrote to it, and in intervals for the commits of others. The setters
    /// of the connection come before it.
    pub fn relay(&self) -> Relay<C> {
        Relay::new(self.inner.clone(), self.context.producer.clone(), self.context.commits.clone())
    }
}

impl<C: ConnectionTrait + Send> StreamedConnection<C> {
    /// Wraps a connection; `producer` writes the messages.
    pub fn new(inner: C, producer: Producer) -> Self {
        let settings = Settings {
            resend_after: RESEND_AFTER,
            insurance: Insurance::default(),
            outbox_after: OUTBOX_AFTER,
            guard: BypassGuard::default(),
            settles: false,
            in_background: false,
            nested: lookup::find(&inner).is_some(),
            warn_forgotten: WARN_FORGOTTEN,
        };
        Self { inner, context: Arc::new(Shared::new(producer, settings)) }
    }
}

impl<C> StreamedConnection<C>
where
    C: ConnectionTrait + TransactionTrait + Send,
    C::Transaction: Send + 'static,
{
    /// The database's kind. As on `DatabaseConnection` it is an inherent method too: two of SeaORM's traits have it, and a
    /// call would not know which is meant.
    pub fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(self)
    }

    /// Begins a transaction of its own for a statement that a hook has announced.
    pub(crate) async fn attend(&self, admission: Admission) -> Result<AutocommitStatement<C::Transaction>, DbErr> {
        AutocommitStatement::begin(&self.context, admission, self.inner.begin()).await
    }

    /// Runs a statement: where there is something to be done beside it, it has a transaction of its own.
    #[expect(clippy::unused_self, reason = "the method of the same name of a transaction needs it")]
    pub(crate) fn beside<F: Future>(&self, statement: F) -> F {
        statement
    }
}
