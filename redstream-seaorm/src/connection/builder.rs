//! The options of a streamed connection.

use std::sync::Arc;
use std::time::Duration;

use redstream_core::Producer;
use sea_orm::{ConnectionTrait, DatabaseConnection};

use crate::connection::StreamedConnection;
use crate::guard::BypassGuard;
use crate::hooks::lookup;
use crate::unit_of_work::insurance::Insurance;
use crate::unit_of_work::shared::{Settings, Shared};

/// Many times what a healthy Redis takes, and hardly noticeable to the caller of a commit.
const OUTBOX_AFTER: Duration = Duration::from_millis(500);

/// Longer than workers take to start.
const WARN_FORGOTTEN: Duration = Duration::from_secs(60);

/// The options of a [`StreamedConnection`]; made by [`StreamedConnection::builder`], or of an existing connection by
/// [`StreamedConnection::to_builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder makes nothing until `build` is called"]
pub struct StreamedConnectionBuilder<C = DatabaseConnection> {
    inner: C,
    settings: Settings,
    base: Base,
}

/// What the connection wraps.
#[derive(Clone, Debug)]
enum Base {
    New(Producer),
    Existing(Arc<Shared>),
}

impl<C: ConnectionTrait> StreamedConnectionBuilder<C> {
    pub(super) fn new(inner: C, producer: Producer) -> Self {
        let settings = Settings {
            resend_after: None,
            insurance: Insurance::default(),
            outbox_after: OUTBOX_AFTER,
            guard: BypassGuard::default(),
            removes_delay_messages: false,
            in_background: false,
            nested: lookup::find(&inner).is_some(),
            warn_forgotten: WARN_FORGOTTEN,
        };
        Self { inner, settings, base: Base::New(producer) }
    }
}

impl<C: Clone> StreamedConnectionBuilder<C> {
    pub(super) fn of(connection: &StreamedConnection<C>) -> Self {
        let StreamedConnection { inner, shared } = connection.clone();
        Self { inner, settings: shared.settings, base: Base::Existing(shared) }
    }
}

impl<C> StreamedConnectionBuilder<C> {
    /// How old a transaction may be before its commit sends its delay messages again, and waits for them.
    ///
    /// Default: one minute, or a fifth of the delay if that is shorter. The delay is the one that the
    /// [delayer](redstream_core::Stream::delayer) of the stream was given; the delayer publishes it in Redis, and
    /// connections read it there within a minute. An age that is set here must be at most a fifth of the delay;
    /// otherwise a warning says so.
    pub fn resend_after(mut self, age: Duration) -> Self {
        self.settings.resend_after = Some(age);
        self
    }

    /// What insures a write before its commit. Default: [`Insurance::Redis`].
    pub fn insurance(mut self, insurance: Insurance) -> Self {
        self.settings.insurance = insurance;
        self
    }

    /// How long a commit gives Redis to acknowledge its delay messages before it uses the outbox, with
    /// [`Insurance::RedisElseOutbox`]. Default: half a second.
    pub fn outbox_after(mut self, patience: Duration) -> Self {
        self.settings.outbox_after = patience;
        self
    }

    /// What happens to statements that write a streamed table and bypass the hooks. Default: [`BypassGuard::Warn`].
    pub fn guard(mut self, guard: BypassGuard) -> Self {
        self.settings.guard = guard;
        self
    }

    /// If on, a commit's main messages remove the delay messages of the same transaction, in one atomic step, so that
    /// consumers handle each change once and not a second time after its delay: this applies to **all** consumers,
    /// whatever their own setting. Default: off, and each consumer decides by
    /// [`skip_repeats`](redstream_core::Consumer::skip_repeats) whether it wants the second message.
    ///
    /// **Leave it off** if the datastore of any consumer takes writes without comparing
    /// [versions](crate::Changes::version), or if any consumer reads rows from a replica: there the second handling
    /// repairs a late write or a stale read. What is written within [`scope`](StreamedConnection::scope) keeps its
    /// delay messages.
    pub fn remove_delay_messages(mut self, on: bool) -> Self {
        self.settings.removes_delay_messages = on;
        self
    }

    /// If on, a commit returns when the database has committed, and its main messages are written in the background: a
    /// commit then takes one round trip to Redis less. Default: off, and a commit returns when its main messages are
    /// written.
    ///
    /// It loses nothing: the delay messages are still acknowledged before COMMIT, and announce the change if a crash
    /// prevents the main message. **Leave it off** in programs that end right after a commit, whose changes would only
    /// arrive after the delay, and if the code after the commit expects the message in the stream, as tests do. A main
    /// message that could not be written is logged and counted in any case.
    /// [`commit_with_token`](crate::StreamedTransaction::commit_with_token) always waits.
    pub fn announce_in_background(mut self, on: bool) -> Self {
        self.settings.in_background = on;
        self
    }

    /// How long changes may be written before a warning says that they are not processed: that no consumer is
    /// registered with a stream whose oldest message does not change (checked twice in this interval), or that changes
    /// are in the outbox and this program has made no [`relay`](StreamedConnection::relay). Each warning comes once.
    /// Default: one minute.
    pub fn warn_forgotten(mut self, after: Duration) -> Self {
        self.settings.warn_forgotten = after;
        self
    }

    /// Builds the connection.
    pub fn build(self) -> StreamedConnection<C> {
        let shared = match self.base {
            Base::New(producer) => Shared::new(producer, self.settings),
            Base::Existing(shared) => shared.with_settings(self.settings),
        };
        StreamedConnection { inner: self.inner, shared: Arc::new(shared) }
    }
}
