//! The two deliberate defects that concern a batch and its handler; see [`mutation`](crate::fault::mutation).

use tokio_util::sync::CancellationToken;

use crate::consumer::batch::Batch;
use crate::consumer::handler::{Handler, HandlerError};
#[cfg(feature = "chaos")]
use crate::error::Result;
#[cfg(feature = "chaos")]
use crate::fault::mutation::{
    Mutation::{SkipOnCancel, TwoAtOnce},
    is,
};

/// A batch's work, which no shutdown cuts off.
#[cfg(not(feature = "chaos"))]
pub(super) const fn cut<W>(work: W, _: &CancellationToken) -> W {
    work
}

/// One call of the handler.
#[cfg(not(feature = "chaos"))]
pub(super) fn handle(handler: &dyn Handler, batch: Batch) -> impl Future<Output = Result<(), HandlerError>> {
    handler.handle(batch)
}

#[cfg(feature = "chaos")]
pub(super) async fn cut<T: Default>(
    work: impl Future<Output = Result<Option<T>>>,
    shutdown: &CancellationToken,
) -> Result<Option<T>> {
    if !is(SkipOnCancel) {
        return work.await;
    }
    shutdown.run_until_cancelled(work).await.unwrap_or_else(|| Ok(Some(T::default())))
}

#[cfg(feature = "chaos")]
pub(super) async fn handle(handler: &dyn Handler, batch: Batch) -> std::result::Result<(), HandlerError> {
    if !is(TwoAtOnce) || batch.len() < 2 {
        return handler.handle(batch).await;
    }
    let [first, second] = batch.halves();
    let (first, second) = futures_util::join!(handler.handle(first), handler.handle(second));
    first.and(second)
}
