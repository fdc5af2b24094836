//! Reading: one batch after the other, the next one while the last is still at work.

use std::future::poll_fn;
use std::task::Poll;

use futures_util::future::BoxFuture;

use crate::consumer::fetch::{Portion, Source};
use crate::error::Result;
use crate::message::{Message, MessageId};
use crate::transport::scripts::BUDGET;
use crate::transport::session::Session;

/// A batch, and the source as the read left it.
type Read = (Source, Vec<Message>);

/// Reads a stream from a cursor on. At most one read is under way, and at most one batch waits.
pub(super) struct Reading {
    source: Source,
    cursor: MessageId,
    under_way: Option<BoxFuture<'static, Result<Read>>>,
    ahead: Option<Vec<Message>>,
}

impl Reading {
    /// In batches of up to `most` messages.
    pub(super) fn new(session: &Session, stream: &str, most: usize, portion: &Portion, after: MessageId) -> Self {
        let source = Source::new(session.clone(), stream, most, BUDGET, portion);
        Self { source, cursor: after, under_way: None, ahead: None }
    }

    /// Whether the next batch has arrived already.
    pub(super) fn is_ahead(&self) -> bool {
        self.ahead.is_some()
    }

    /// The next batch; waits for as long as there is none. Cancel-safe: a read under way goes on at
    /// the next call.
    pub(super) async fn next(&mut self) -> Result<Vec<Message>> {
        loop {
            self.read_ahead().await?;
            if let Some(batch) = self.ahead.take() {
                return Ok(batch);
            }
        }
    }

    /// Lets a read go on until the next batch is there, or Redis had nothing for a while. Returns at once
    /// where a batch waits. Cancel-safe as [`next`](Self::next).
    pub(super) async fn read_ahead(&mut self) -> Result<()> {
        if self.ahead.is_some() {
            return Ok(());
        }
        let read = match &mut self.under_way {
            Some(read) => read,
            none => {
                let (mut source, cursor) = (self.source.clone(), self.cursor);
                none.insert(Box::pin(async move {
                    let batch = source.read(cursor).await?;
                    Ok((source, batch))
                }))
            }
        };
        let outcome = read.await;
        self.under_way = None;
        let (source, batch) = outcome?;
        self.source = source;
        if let Some(last) = batch.last() {
            self.cursor = last.id();
            self.ahead = Some(batch);
        }
        Ok(())
    }

    /// Polls [`read_ahead`](Self::read_ahead) until `work` is done; never cuts the work short. An error of a read is found
    /// again by the next one.
    ///
    /// Where more may wait the read goes out first, so that Redis answers it meanwhile. Else the work begins first: sending a read
    /// that finds nothing takes longer than most messages have been on their way.
    pub(super) async fn while_working<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        if !self.source.may_have_more()
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
