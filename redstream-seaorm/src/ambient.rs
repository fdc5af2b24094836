//! Tracking for code that insists on SeaORM's own types: migrations, frameworks, other crates.

use std::cell::RefCell;
use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll};

use redstream_core::NewMessage;

use crate::called::Calls;
use crate::context::Context;
use crate::messages::Messages;
use crate::watched::Told;
use crate::{Error, StreamedConnection};

/// What hooks do while a scope runs, with connections that are not streamed.
#[derive(Debug)]
pub(crate) struct Ambient {
    pub(crate) context: Arc<Context>,
    pub(crate) calls: Calls,
    pub(crate) told: Told,
    changes: Mutex<Changes>,
}

#[derive(Debug, Default)]
struct Changes {
    insured: HashSet<NewMessage>,
    announced: Messages,
}

impl<C> StreamedConnection<C> {
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
    /// For code that insists on SeaORM's types. Prefer the streamed types where you can, since nobody sees the statements here,
    /// nor the commits:
    ///
    /// - a save waits for Redis to acknowledge its delay message, whatever [`Insurance`](crate::Insurance) is chosen;
    /// - main messages go out when `future` ends, also those of writes that were rolled back, which makes consumers read
    ///   unchanged rows; so begin and commit transactions inside;
    /// - an insert whose key the database generates is refused outside a transaction;
    /// - `update_many`, `delete_many`, `insert_many` and raw SQL are missed, and so are saves of entities whose own behaviour calls no
    ///   hook. Hand in [`watched`](Self::watched) instead of the connection itself, and a warning says so; `docs/frameworks.md` says what to
    ///   do instead for seaography and loco;
    /// - it does not reach into tasks that `future` spawns: there a save is refused, as it is without a scope.
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        let ambient = Arc::new(Ambient {
            context: self.context.clone(),
            calls: Calls::default(),
            told: Told::default(),
            changes: Mutex::default(),
        });
        let output = Within { future: Box::pin(future), ambient: ambient.clone() }.await;
        let announced = std::mem::take(&mut ambient.changes().announced);
        self.context.announce(announced.into_vec(), false).await;
        output
    }
}

impl Ambient {
    /// Waits for Redis to acknowledge a delay message, unless it did before.
    pub(crate) async fn insure(&self, message: &NewMessage) -> Result<(), Error> {
        if self.changes().insured.contains(message) {
            return Ok(());
        }
        self.context.insure(std::slice::from_ref(message)).await?;
        self.changes().insured.insert(message.clone());
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

thread_local!(static CURRENT: RefCell<Option<Arc<Ambient>>> = const { RefCell::new(None) });

/// The scope that the running future is in.
pub(crate) fn current() -> Option<Arc<Ambient>> {
    CURRENT.with_borrow(Clone::clone)
}

/// A future that is in a scope whenever it is polled, and only then: a task-local that other tasks do not see.
struct Within<F> {
    future: Pin<Box<F>>,
    ambient: Arc<Ambient>,
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let _leave = Leave(CURRENT.replace(Some(self.ambient.clone())));
        self.future.as_mut().poll(task)
    }
}

/// Goes back to the scope around, also after a panic.
struct Leave(Option<Arc<Ambient>>);

impl Drop for Leave {
    fn drop(&mut self) {
        CURRENT.replace(self.0.take());
    }
}
