//! Prefetching: reads batch after batch, the next one while the last is being handled.

use std::future::poll_fn;
use std::task::Poll;

use futures_util::future::BoxFuture;

use crate::consumer::fetch::{Fetch, Limits, Portion};
use crate::error::Result;
use crate::message::{Message, MessageId};
use crate::transport::session::Session;

/// A batch, and the fetch as the read left it.
type Read = (Fetch, Vec<Message>);

/// Reads a stream from a cursor on. At most one read is in flight, and at most one batch waits.
pub(super) struct Reading {
    fetch: Fetch,
    cursor: MessageId,
    under_way: Option<BoxFuture<'static, Result<Read>>>,
    ahead: Option<Vec<Message>>,
}

impl Reading {
    pub(super) fn new(session: &Session, stream: &str, limits: Limits, portion: &Portion, after: MessageId) -> Self {
        let fetch = Fetch::new(session.clone(), stream, limits, portion);
        Self { fetch, cursor: after, under_way: None, ahead: None }
    }

    /// Whether the next batch has arrived already.
    pub(super) fn is_ahead(&self) -> bool {
        self.ahead.is_some()
    }

    /// The next batch; waits until there is one. Cancel-safe: a read in flight continues in the next call.
    pub(super) async fn next(&mut self) -> Result<Vec<Message>> {
        loop {
            self.read_ahead().await?;
            if let Some(batch) = self.ahead.take() {
                return Ok(batch);
            }
        }
    }

    /// Continues a read until the next batch has arrived, or Redis had nothing for a while. Returns at once if a batch
    /// waits. Cancel-safe as [`next`](Self::next).
    pub(super) async fn read_ahead(&mut self) -> Result<()> {
        if self.ahead.is_some() {
            return Ok(());
        }
        let read = match &mut self.under_way {
            Some(read) => read,
            none => {
                let (mut fetch, cursor) = (self.fetch.clone(), self.cursor);
                none.insert(Box::pin(async move {
                    let batch = fetch.read(cursor).await?;
                    Ok((fetch, batch))
                }))
            }
        };
        let outcome = read.await;
        self.under_way = None;
        let (fetch, batch) = outcome?;
        self.fetch = fetch;
        if let Some(last) = batch.last() {
            self.cursor = last.id();
            self.ahead = Some(batch);
        }
        Ok(())
    }

    /// Polls [`read_ahead`](Self::read_ahead) until `work` is done; never interrupts the work. The next read finds an
    /// error of a read again.
    ///
    /// If there may be more, the read is sent first, so that Redis answers it meanwhile. Otherwise the work begins
    /// first: sending a read that finds nothing would delay most messages by more than their latency.
    pub(super) async fn while_working<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        if !self.fetch.may_have_more()
            && let Poll::Ready(done) = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await
        {
            return done;
        }
        loop {
            if self.ahead.is_some() {
                return work.await;
            }
            tokio::select! {
                biased;
                read = self.read_ahead() => if read.is_err() { return work.await },
                done = &mut work => return done,
            }
        }
    }
}
