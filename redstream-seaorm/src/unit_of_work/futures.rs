//! Futures that are not cut short if they are dropped, and work that is done while the database is at work.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::runtime::Handle;

type Boxed<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// Runs in its caller's task; dropped, it goes on in one of its own. So nobody waits for another task unless somebody drops it.
///
/// It stands still while its caller holds it and does not poll.
pub(crate) struct FinishOnDrop<R: Send + 'static>(Option<Boxed<R>>);

impl<R: Send + 'static> FinishOnDrop<R> {
    pub(crate) fn new(work: impl Future<Output = R> + Send + 'static) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<R: Send + 'static> Future for FinishOnDrop<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        // Taken, so that nothing is left of work that panics.
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
        // Without a runtime nothing could go on.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

/// Runs `request`, and does `work` as soon as that was sent: what is done before it keeps the database waiting, whose threads
/// and processes fall asleep meanwhile. Where the future is dropped before it is polled, `work` is not done.
pub(crate) async fn beside<R, W>(request: impl Future<Output = R>, work: impl FnOnce() -> W) -> (R, W) {
    let mut request = pin!(request);
    let sent = poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
    let worked = work();
    match sent {
        Poll::Ready(answer) => (answer, worked),
        Poll::Pending => (request.await, worked),
    }
}
