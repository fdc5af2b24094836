//! Tracking for code that requires SeaORM's own types: migrations, frameworks, other crates.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use redstream_core::NewMessage;

use crate::entity::table_name::TableName;
use crate::error::Error;
use crate::guard::WrittenTable;
use crate::unit_of_work::hook_calls::Calls;
use crate::unit_of_work::message_set::OrderedMessageSet;
use crate::unit_of_work::shared::Shared;

/// What hooks do while a scope runs, with connections that are not streamed.
#[derive(Debug)]
pub(crate) struct TaskScope {
    pub(crate) shared: Arc<Shared>,
    pub(crate) calls: Calls,
    pub(crate) told: Told,
    changes: Mutex<Changes>,
}

#[derive(Debug, Default)]
struct Changes {
    /// When each was last insured.
    insured: HashMap<NewMessage, Instant>,
    announced: OrderedMessageSet,
}

impl TaskScope {
    /// Runs `future` with this scope visible to hooks, then announces what they have deferred.
    pub(crate) async fn run<F: Future>(shared: Arc<Shared>, future: F) -> F::Output {
        let task_scope =
            Arc::new(Self { shared, calls: Calls::default(), told: Told::default(), changes: Mutex::default() });
        let output = InTaskScope { future: Box::pin(future), task_scope: task_scope.clone() }.await;
        let Changes { insured, announced } = std::mem::take(&mut *task_scope.changes());
        let announced = announced.into_vec();
        let resend_after = task_scope.shared.resend_after();
        let is_old = |message| insured.get(message).is_some_and(|since| since.elapsed() > resend_after * 5 / 2);
        let uninsured = announced.iter().any(is_old);
        task_scope.shared.announce(announced, uninsured).await;
        output
    }

    /// Waits for Redis to acknowledge a delay message, unless it did so less than `resend_after` ago: an older message
    /// may become due before the write that follows is committed.
    pub(crate) async fn insure(&self, message: &NewMessage) -> Result<(), Error> {
        let resend_after = self.shared.resend_after();
        if self.changes().insured.get(message).is_some_and(|since| since.elapsed() < resend_after) {
            return Ok(());
        }
        let now = Instant::now();
        self.shared.insure(std::slice::from_ref(message)).await?;
        self.changes().insured.insert(message.clone(), now);
        Ok(())
    }

    /// To be announced when the scope ends.
    pub(crate) fn announce_later(&self, message: NewMessage) {
        self.changes().announced.add(message);
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local!(static CURRENT: RefCell<Option<Arc<TaskScope>>> = const { RefCell::new(None) });

/// The scope that the running future is in.
pub(crate) fn current() -> Option<Arc<TaskScope>> {
    CURRENT.with_borrow(Clone::clone)
}

/// A future that is in a scope whenever it is polled, and only then, by a task-local that other tasks do not see.
struct InTaskScope<F> {
    future: Pin<Box<F>>,
    task_scope: Arc<TaskScope>,
}

impl<F: Future> Future for InTaskScope<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _leave = Leave(CURRENT.replace(Some(self.task_scope.clone())));
        self.future.as_mut().poll(context)
    }
}

/// Restores the enclosing scope, also after a panic.
struct Leave(Option<Arc<TaskScope>>);

impl Drop for Leave {
    fn drop(&mut self) {
        CURRENT.replace(self.0.take());
    }
}

/// How many statements hooks have announced, by table.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashMap<TableName, usize>>);

impl Told {
    /// A statement that writes this table follows.
    pub(crate) fn note(&self, table: TableName) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(table).or_default() += 1;
    }

    /// Consumes the announcement of a statement that writes this table; returns whether there was one.
    pub(crate) fn take(&self, written: &WrittenTable<'_>) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = told.iter_mut().find(|(table, left)| **left > 0 && written.is_answered_by(table));
        left.map(|(_, left)| *left -= 1).is_some()
    }
}
