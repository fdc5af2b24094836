//! The connection through which an application writes: SeaORM's, with every write noticed.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use redstream_core::Producer;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, TransactionTrait};

use crate::attended::{Admission, Own};
use crate::context::{Context, Settings};
use crate::guard::{Guard, Text};
use crate::probe::{self, Tracked};
use crate::scope::Scope;
use crate::transaction::StreamedTransaction;
use crate::{BypassGuard, Insurance};

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
    pub(crate) context: Arc<Context>,
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
    pub fn settle(self, on: bool) -> Self {
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

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.context.settings;
        change(&mut settings);
        let mut context = Context::new(self.context.producer.clone(), settings);
        context.relays = self.context.relays.clone();
        self.context = Arc::new(context);
        self
    }

    pub(crate) fn tracked(&self) -> Tracked {
        Tracked::Autocommit(self.context.clone())
    }

    pub(crate) fn admit(&self, text: &Text<'_>) -> Result<Admission, DbErr> {
        let Context { guard, permits, settings, .. } = &*self.context;
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

    /// A stream fails unseen; see that method of a transaction.
    #[cfg(feature = "stream")]
    #[expect(clippy::unused_self, reason = "the method of the same name of a transaction needs it")]
    pub(crate) fn streams(&self) {}

    pub(crate) fn looks_at_statements(&self) -> bool {
        self.context.guard.looks(&self.context.permits)
    }

    pub(crate) fn wrap<T>(&self, begun: Result<T, DbErr>) -> Result<StreamedTransaction<T>, DbErr> {
        Ok(StreamedTransaction::new(begun?, Scope::outermost(self.context.clone())))
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
            nested: probe::tracked(&inner).is_some(),
            warn_forgotten: WARN_FORGOTTEN,
        };
        Self { inner, context: Arc::new(Context::new(producer, settings)) }
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
    pub(crate) async fn attend(&self, admission: Admission) -> Result<Own<C::Transaction>, DbErr> {
        Own::begin(&self.context, admission, self.inner.begin()).await
    }

    /// Runs a statement: where there is something to be done beside it, it has a transaction of its own.
    #[expect(clippy::unused_self, reason = "the method of the same name of a transaction needs it")]
    pub(crate) fn beside<F: Future>(&self, statement: F) -> F {
        statement
    }
}
