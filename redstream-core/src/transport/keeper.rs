//! The thread that renews locks: renewal must not depend on the threads on which handlers run.
//!
//! A handler that blocks its thread also stops every task of that thread, and on a current-thread runtime all of them.
//! So the connection for a worker's commands is driven here, and its lock is renewed here: one thread with a small
//! runtime for each [`Redstream`](crate::Redstream), whatever the number of workers, and no additional connection.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_util::context::TokioContext;

/// Cheap to clone; the thread starts with the first use and ends with the last clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keeper(Arc<Mutex<Option<Thread>>>);

#[derive(Debug)]
struct Thread {
    runtime: Handle,
    /// Dropping it ends the thread.
    _alive: oneshot::Sender<()>,
}

impl Keeper {
    /// The thread's runtime. Errors if the system refuses another thread.
    pub(crate) fn runtime(&self) -> std::io::Result<Handle> {
        let mut thread = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = match thread.take() {
            Some(running) => running,
            None => start()?,
        };
        Ok(thread.insert(running).runtime.clone())
    }

    /// Runs `open`, with its sockets and background tasks on the thread's runtime.
    pub(crate) async fn open<T>(&self, open: impl Future<Output = redis::RedisResult<T>>) -> redis::RedisResult<T> {
        TokioContext::new(open, self.runtime()?).await
    }
}

fn start() -> std::io::Result<Thread> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (alive, ended) = oneshot::channel();
    std::thread::Builder::new().name("redstream-locks".to_owned()).spawn(move || {
        // An error: the sender was dropped, which is the signal to end.
        let _ended = runtime.block_on(ended);
    })?;
    Ok(Thread { runtime: handle, _alive: alive })
}
