//! Futures that are dropped before their end, as by a timeout or a `select!`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Polls a future until it has been pending this many times, and then drops it: `None`.
pub(crate) async fn cut<F: Future>(future: F, pending: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = pending;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
