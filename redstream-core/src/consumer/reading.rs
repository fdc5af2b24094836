//! Reading: one batch after the other, the next one while the last is still at work.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::entries::Entries;
use crate::session::Session;
use crate::{Message, MessageId, Result};

/// How long Redis holds a read that finds nothing.
const BLOCK: Duration = Duration::from_secs(2);

/// The payloads of one read come to about this much at the most, in bytes: with the batch at work and the one that waits,
/// that bounds a consumer's memory.
const BUDGET: usize = 16 << 20;

/// The first read asks for this many: nobody knows yet how large the payloads are.
const FIRST: usize = 64;

/// Reads a stream from a cursor on. At most one read is under way, and at most one batch waits.
pub(super) struct Reading {
    session: Session,
    stream: Arc<str>,
    size: BatchSize,
    cursor: MessageId,
    under_way: Option<BoxFuture<'static, Result<Vec<Message>>>>,
    ahead: Option<Vec<Message>>,
}

impl Reading {
    pub(super) fn new(session: Session, stream: &str, count: usize, after: MessageId) -> Self {
        Self {
            session,
            stream: stream.into(),
            size: BatchSize::up_to(count),
            cursor: after,
            under_way: None,
            ahead: None,
        }
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
            none => none.insert(read(self.session.clone(), self.stream.clone(), self.size.next(), self.cursor)),
        };
        let outcome = read.await;
        self.under_way = None;
        let batch = outcome?;
        if let Some(last) = batch.last() {
            self.cursor = last.id();
            self.size.saw(&batch);
            self.ahead = Some(batch);
        }
        Ok(())
    }

    /// Polls [`read_ahead`](Self::read_ahead) until `work` is done; never cuts the work short. An error of a
    /// read is found again by the next one.
    pub(super) async fn while_working<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            if self.ahead.is_some() {
                return work.await;
            }
            tokio::select! {
                biased;
                done = &mut work => return done,
                read = self.read_ahead() => if read.is_err() { return work.await },
            }
        }
    }
}

/// How many messages to ask for: as many as the user allows, unless they are large.
#[derive(Debug)]
struct BatchSize {
    most: usize,
    next: usize,
}

impl BatchSize {
    fn up_to(most: usize) -> Self {
        Self { most, next: most.min(FIRST) }
    }

    fn next(&self) -> usize {
        self.next
    }

    /// Doubles at the most, so that a stream whose payloads grow is noticed on the way.
    fn saw(&mut self, batch: &[Message]) {
        let bytes: usize = batch.iter().map(|message| message.raw().len()).sum();
        let each = (bytes / batch.len().max(1)).max(1);
        self.next = (self.next * 2).min(BUDGET / each).clamp(1, self.most);
    }
}

fn read(
    session: Session,
    stream: Arc<str>,
    count: usize,
    after: MessageId,
) -> BoxFuture<'static, Result<Vec<Message>>> {
    Box::pin(async move {
        let block = u64::try_from(BLOCK.as_millis()).unwrap_or(u64::MAX);
        let mut xread = redis::cmd("XREAD");
        xread.arg("COUNT").arg(count).arg("BLOCK").arg(block).arg("STREAMS").arg(&*stream).arg(after.to_string());
        let Entries(batch) = session.blocking("read a stream", &xread, BLOCK).await?;
        Ok(batch)
    })
}

/// What is in the stream now, without waiting.
pub(super) async fn read_now(session: &Session, stream: &str, count: usize, after: MessageId) -> Result<Vec<Message>> {
    let mut xread = redis::cmd("XREAD");
    xread.arg("COUNT").arg(count).arg("STREAMS").arg(stream).arg(after.to_string());
    let Entries(batch) = session.command("read a stream", &xread).await?;
    Ok(batch)
}
