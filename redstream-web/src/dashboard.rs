//! The dashboard: its options, and its router.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use redstream_core::{BoxError, CancellationToken, Health, Redstream};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::audit::{Audit, AuditEntry};
use crate::latest::Look;
use crate::state::State;
use crate::task::{Task, TaskRun};
use crate::verb::Verb;
use crate::{actions, dead, events, page, security, trim};

/// How long `serve` waits for requests to end.
const GRACE: Duration = Duration::from_secs(5);

/// A dashboard of the streams of one [`Redstream`]. Read-only unless [actions are allowed](Self::allow_actions).
///
/// ```no_run
/// use axum::http::request::Parts;
/// use redstream_web::{Dashboard, Verb};
///
/// /// What the application's authentication puts into the extensions of a request.
/// #[derive(Clone)]
/// struct User { name: String, is_operator: bool }
///
/// fn operator(parts: &Parts, verb: Verb) -> Option<String> {
///     let user = parts.extensions.get::<User>()?;
///     (user.is_operator || verb == Verb::Redrive).then(|| user.name.clone())
/// }
///
/// # fn example(redstream: redstream_core::Redstream) -> axum::Router {
/// Dashboard::new(redstream)
///     .allow_actions(operator)
///     .on_action(|entry| println!("{:?} {} {} {:?}", entry.user, entry.verb, entry.target, entry.outcome))
///     .into_router()
/// # }
/// ```
pub struct Dashboard {
    state: State,
    max_viewers: usize,
}

/// A read-only status page of the streams of `redstream` and of the workers of `health`, as a router to mount.
pub fn router(redstream: Redstream, health: Health) -> Router {
    Dashboard::new(redstream).health(health).into_router()
}

impl Dashboard {
    /// A read-only dashboard.
    #[must_use]
    pub fn new(redstream: Redstream) -> Self {
        let state = State {
            redstream,
            health: None,
            permission: None,
            audit: Audit::default(),
            tasks: Vec::new(),
            look: Look::default(),
            every: Duration::from_secs(1),
            viewers: Arc::new(Semaphore::new(0)),
            shutdown: CancellationToken::new(),
            hosts: None,
        };
        Self { state, max_viewers: 64 }
    }

    /// Shows the workers of this process, too. Default: none.
    #[must_use]
    pub fn health(mut self, health: Health) -> Self {
        self.state.health = Some(health);
        self
    }

    /// Allows actions: `permission` returns the name of the user, for the audit log, if the request may perform the
    /// action. It is asked for each action, and for each action when the page is opened, to show only what is allowed.
    /// Default: no action is allowed.
    ///
    /// It sees the head of the request: the application's authentication runs before, as a layer, and leaves the user
    /// in the extensions. The dashboard itself refuses requests of other sites.
    #[must_use]
    pub fn allow_actions<F>(mut self, permission: F) -> Self
    where
        F: Fn(&Parts, Verb) -> Option<String> + Send + Sync + 'static,
    {
        self.state.permission = Some(Box::new(permission));
        self
    }

    /// Passes each action to `record` that was performed, failed or was refused, in addition to the log with the target
    /// `redstream_web::audit`. It must not block.
    #[must_use]
    pub fn on_action(mut self, record: impl Fn(&AuditEntry) + Send + Sync + 'static) -> Self {
        self.state.audit.on_action = Some(Arc::new(record));
        self
    }

    /// Offers work of the application on the page, such as a reindex, a swap or a verification: a user who is allowed
    /// [`TaskStart`](Verb::TaskStart) can start it, one run at a time, and sees its progress. The result is a line of
    /// text.
    ///
    /// A run belongs to this process and ends with it: reindexes and swaps continue where they were when they are
    /// started again.
    #[must_use]
    pub fn task<F, Fut>(mut self, name: impl Into<String>, work: F) -> Self
    where
        F: Fn(TaskRun) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, BoxError>> + Send + 'static,
    {
        self.state.tasks.push(Task::new(name.into(), work));
        self
    }

    /// How often Redis is looked at while the page is open, once for all viewers. A look lists the keys of the database
    /// (`SCAN`); one that takes long is repeated after nine times as long. Default: 1 second; at least 100 ms.
    #[must_use]
    pub fn every(mut self, every: Duration) -> Self {
        self.state.every = every.max(Duration::from_millis(100));
        self
    }

    /// How many pages may be open at once; others are told to come back. Default: 64.
    #[must_use]
    pub fn max_viewers(mut self, viewers: usize) -> Self {
        self.max_viewers = viewers.min(Semaphore::MAX_PERMITS);
        self
    }

    /// Ends the streams of events when `shutdown` is cancelled, so that a graceful shutdown of the server does not wait
    /// for open pages, and tells tasks to stop. Default: a stream ends after 10 minutes, and the page opens another
    /// one.
    #[must_use]
    pub fn shutdown(mut self, shutdown: CancellationToken) -> Self {
        self.state.shutdown = shutdown;
        self
    }

    /// Answers only requests for these host names, for IP addresses and for `localhost`. For a dashboard without
    /// authentication on a private address: without it, a public site whose name is pointed at that address could use
    /// the dashboard from a viewer's browser (DNS rebinding). Default: all host names.
    #[must_use]
    pub fn only_hosts<I: IntoIterator<Item: Into<String>>>(mut self, hosts: I) -> Self {
        let lower = |host: I::Item| host.into().to_ascii_lowercase();
        self.state.hosts = Some(hosts.into_iter().map(lower).collect::<BTreeSet<_>>());
        self
    }

    /// The router, to be mounted by [`Router::nest_service`] under any path: it uses relative URLs alone.
    ///
    /// | route | |
    /// |---|---|
    /// | `GET /` | the page |
    /// | `GET events` | what the page shows, as server-sent events |
    /// | `GET status` | the same, once, as JSON |
    /// | `GET dead`, `GET dead-groups` | dead letters, by `stream`, `consumer`, `fingerprint` and `after`, as JSON; with `of=delayer` in place of a consumer those of the delayer |
    /// | `GET trim-impact` | what a trim of `stream` would remove, as JSON |
    /// | `POST actions/VERB` | an action: see [`Verb`] |
    pub fn into_router(mut self) -> Router {
        self.state.viewers = Arc::new(Semaphore::new(self.max_viewers));
        let state = Arc::new(self.state);
        Router::new()
            .route("/", get(page::page))
            .route("/icon.svg", get(page::icon))
            .route("/events", get(events::events))
            .route("/status", get(events::status))
            .route("/dead", get(dead::letters))
            .route("/dead-groups", get(dead::groups))
            .route("/trim-impact", get(trim::impact))
            .route("/actions/{verb}", post(actions::action))
            .layer(from_fn_with_state(state.clone(), security::guard))
            .with_state(state)
    }

    /// Serves the dashboard alone, until `shutdown` ends; then open requests have 5 seconds to end.
    ///
    /// # Errors
    ///
    /// If the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let ended = self.state.shutdown.clone();
        let told = ended.clone();
        let graceful = async move {
            tokio::select! { () = shutdown => told.cancel(), () = told.cancelled() => {} }
        };
        let late = async {
            ended.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let serving = axum::serve(listener, self.into_router()).with_graceful_shutdown(graceful);
        tokio::select! {
            served = async { serving.await } => served,
            () = late => Ok(()),
        }
    }
}

impl fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashboard").field("state", &self.state).field("max_viewers", &self.max_viewers).finish()
    }
}
