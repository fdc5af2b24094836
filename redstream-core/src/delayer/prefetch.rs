//! The read after a move, in flight while the move is prepared and sent.

use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};

use crate::consumer::fetch::Fetch;
use crate::error::Result;
use crate::message::{Message, MessageId};

/// The fetch of the reads, and the read in flight.
pub(super) struct Ahead {
    fetch: Fetch,
    under_way: Option<(MessageId, BoxFuture<'static, Read>)>,
}

/// A batch, and the fetch as the read left it.
type Read = Result<(Fetch, Vec<Message>)>;

impl Ahead {
    pub(super) fn new(fetch: Fetch) -> Self {
        Self { fetch, under_way: None }
    }

    /// Requests the batch after `after`, without waiting for it: Redis answers meanwhile.
    pub(super) async fn ask(&mut self, after: MessageId) {
        let mut read = self.read(after);
        let read = match futures_util::poll!(&mut read) {
            Poll::Ready(outcome) => ready(outcome).boxed(),
            Poll::Pending => read,
        };
        self.under_way = Some((after, read));
    }

    /// The batch after `after`: the requested batch if it is this one, otherwise a new read.
    pub(super) async fn batch(&mut self, after: MessageId) -> Result<Vec<Message>> {
        let asked = self.under_way.take().filter(|(asked, _)| *asked == after);
        let (fetch, batch) = asked.map_or_else(|| self.read(after), |(_, read)| read).await?;
        self.fetch = fetch;
        Ok(batch)
    }

    fn read(&self, after: MessageId) -> BoxFuture<'static, Read> {
        let mut fetch = self.fetch.clone();
        let read = async move {
            let batch = fetch.read_now(after).await?;
            Ok((fetch, batch))
        };
        read.boxed()
    }
}
