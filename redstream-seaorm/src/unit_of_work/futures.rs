//! Futures that complete even if they are dropped, and work that is done while a statement runs.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::runtime::Handle;

type Boxed<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// Runs in the caller's task. If dropped early, the rest is spawned onto the runtime, so the normal path needs no extra
/// task.
///
/// It makes no progress while its caller holds it without polling it.
pub(crate) struct FinishOnDrop<R: Send + 'static>(Option<Boxed<R>>);

impl<R: Send + 'static> FinishOnDrop<R> {
    pub(crate) fn new(work: impl Future<Output = R> + Send + 'static) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<R: Send + 'static> Future for FinishOnDrop<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        // Taken, so that work that panics is not polled again.
        let Some(mut work) = self.0.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<R: Send + 'static> Drop for FinishOnDrop<R> {
    fn drop(&mut self) {
        // Without a runtime it cannot continue.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

/// Runs `request`, and calls `work` as soon as the request was sent: work before that would keep the database idle,
/// whose threads and processes go to sleep meanwhile. If the future is dropped before it is polled, `work` is not
/// called.
pub(crate) async fn run_while_sent<R, W>(request: impl Future<Output = R>, work: impl FnOnce() -> W) -> (R, W) {
    let mut request = pin!(request);
    let sent = poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
    let worked = work();
    match sent {
        Poll::Ready(answer) => (answer, worked),
        Poll::Pending => (request.await, worked),
    }
}
