//! Work that the application offers on the page, such as a reindex or a verification.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use redstream_core::{BoxError, CancellationToken};
use serde::{Serialize, Serializer};

use crate::audit::millis;
use crate::error::{Failure, bounded};

/// The longest text of a task that is shown, in bytes.
const LONGEST: usize = 1000;

type Work = dyn Fn(TaskRun) -> Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>> + Send + Sync;

/// One run of a [task](crate::Dashboard::task): reports its progress, and is told when to stop.
#[derive(Clone, Debug)]
pub struct TaskRun {
    task: Arc<Mutex<Status>>,
    shutdown: CancellationToken,
}

impl TaskRun {
    /// Shows how far the work is: a line of text, of which 1,000 bytes are shown, and a bar if `total` is not zero.
    pub fn progress(&self, done: u64, total: u64, text: impl fmt::Display) {
        let mut status = lock(&self.task);
        (status.done, status.total) = (done, total);
        status.text = bounded(text.to_string(), LONGEST);
    }

    /// Cancelled when a user stops the task, and with the token of [`Dashboard::shutdown`](crate::Dashboard::shutdown).
    /// Pass it to `run` of a reindex, swap or verification.
    #[must_use]
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }
}

/// A task as it is now.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Status {
    name: String,
    state: State,
    text: String,
    done: u64,
    total: u64,
    user: Option<String>,
    #[serde(serialize_with = "maybe_millis")]
    started_at: Option<SystemTime>,
    #[serde(serialize_with = "maybe_millis")]
    ended_at: Option<SystemTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Idle,
    Running,
    Stopping,
    Done,
    Failed,
}

impl Status {
    fn idle(name: String) -> Self {
        Self {
            name,
            state: State::Idle,
            text: String::new(),
            done: 0,
            total: 0,
            user: None,
            started_at: None,
            ended_at: None,
        }
    }
}

pub(crate) struct Task {
    name: String,
    work: Box<Work>,
    status: Arc<Mutex<Status>>,
    shutdown: Mutex<CancellationToken>,
}

impl Task {
    pub(crate) fn new<F, Fut>(name: String, work: F) -> Self
    where
        F: Fn(TaskRun) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, BoxError>> + Send + 'static,
    {
        Self {
            work: Box::new(move |run| Box::pin(work(run))),
            status: Arc::new(Mutex::new(Status::idle(name.clone()))),
            shutdown: Mutex::default(),
            name,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn status(&self) -> Status {
        lock(&self.status).clone()
    }

    /// Starts it, unless it runs. It is told to stop when `server` is cancelled.
    pub(crate) fn start(&self, user: &str, server: &CancellationToken) -> Result<(), Failure> {
        let mut status = lock(&self.status);
        if matches!(status.state, State::Running | State::Stopping) {
            return Err(Failure::Conflict("it runs already"));
        }
        *status = Status {
            state: State::Running,
            user: Some(user.to_owned()),
            started_at: Some(SystemTime::now()),
            ..Status::idle(self.name.clone())
        };
        let shutdown = server.child_token();
        *lock(&self.shutdown) = shutdown.clone();
        let run = TaskRun { task: self.status.clone(), shutdown };
        let (work, status) = ((self.work)(run), self.status.clone());
        tokio::spawn(async move {
            // In a task of its own, so that a panic ends it and nothing else.
            let ended = tokio::spawn(work).await;
            let (state, text) = match ended {
                Ok(Ok(text)) => (State::Done, text),
                Ok(Err(error)) => (State::Failed, causes(&*error)),
                Err(_) => (State::Failed, Failure::Panicked.to_string()),
            };
            let mut status = lock(&status);
            (status.state, status.text) = (state, bounded(text, LONGEST));
            status.ended_at = Some(SystemTime::now());
        });
        Ok(())
    }

    /// Tells it to stop.
    pub(crate) fn stop(&self) -> Result<(), Failure> {
        let mut status = lock(&self.status);
        if status.state != State::Running {
            return Err(Failure::Conflict("it does not run"));
        }
        status.state = State::Stopping;
        lock(&self.shutdown).cancel();
        Ok(())
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("name", &self.name).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[expect(clippy::ref_option, reason = "the form that serde wants")]
fn maybe_millis<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => millis(time, serializer),
        None => serializer.serialize_none(),
    }
}
