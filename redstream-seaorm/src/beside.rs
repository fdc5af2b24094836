//! What is done while the database is at work.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

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
