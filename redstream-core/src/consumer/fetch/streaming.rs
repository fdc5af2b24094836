//! Reads batches over a connection with its own protocol code, which skips messages beyond the budget.
//!
//! So a plain `XREAD` is safe whatever the size of the messages, and one command reads what is there and waits for what
//! comes. It requests few messages at first, and then no more than fit by the size of the largest of the last batch:
//! what Redis prepares in vain is then little, unless messages grow a thousandfold from one to the next.

use std::sync::Arc;
use std::time::Duration;

use super::{ATTEMPT, BLOCK, NEWS, Portion, xread};
use crate::error::Result;
use crate::message::{Message, MessageId};
use crate::transport::session::Session;

/// Reads one stream through one session.
#[derive(Clone)]
pub(crate) struct Streaming {
    session: Session,
    stream: Arc<str>,
    most: usize,
    budget: usize,
    /// How many messages the next read requests.
    count: usize,
    /// There may be more than the last read returned.
    more: bool,
    portion: Portion,
}

impl Streaming {
    /// Batches of up to `most` messages, and no more once they have reached the budget, in bytes.
    pub(super) fn new(session: Session, stream: &str, most: usize, budget: usize, portion: Portion) -> Self {
        Self { session, stream: stream.into(), most, budget, count: NEWS.min(most), more: true, portion }
    }

    pub(super) fn may_have_more(&self) -> bool {
        self.more
    }

    /// What is after `after`; if there is nothing, what arrives within two seconds.
    pub(super) async fn read(&mut self, after: MessageId) -> Result<Vec<Message>> {
        self.read_once(after, Some(BLOCK)).await
    }

    /// What is after `after` now, without waiting.
    pub(super) async fn read_now(&mut self, after: MessageId) -> Result<Vec<Message>> {
        self.read_once(after, None).await
    }

    async fn read_once(&mut self, after: MessageId, block: Option<Duration>) -> Result<Vec<Message>> {
        let count = self.portion.of(self.count);
        let xread = xread(&self.stream, count, after, block);
        let read = self.session.xread(ATTEMPT, &xread, block.unwrap_or_default(), self.budget).await;
        let batch = read.inspect_err(|error| self.portion.failed(&self.stream, count, error))?;
        self.portion.went_well(count, batch.len());
        self.more = batch.len() >= count || bytes(&batch) >= self.budget;
        self.count = next_count(count, self.most, self.budget, &batch);
        Ok(batch)
    }
}

fn bytes(batch: &[Message]) -> usize {
    batch.iter().map(|message| message.raw().len()).sum()
}

/// Twice as many while all requested messages came, limited to what fits by the largest.
fn next_count(count: usize, most: usize, budget: usize, batch: &[Message]) -> usize {
    let wanted = if batch.len() < count { count } else { count.saturating_mul(2) };
    let largest = batch.iter().map(|message| message.raw().len()).max().unwrap_or_default();
    wanted.min(most).min(budget / largest.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::scripts::BUDGET;

    fn batch(sizes: &[usize]) -> Vec<Message> {
        sizes.iter().map(|size| Message::new(MessageId::MIN, Some(vec![b'0'; *size]))).collect()
    }

    #[test]
    fn more_is_asked_for_while_all_came_and_there_is_room() {
        assert_eq!(next_count(2, 1000, BUDGET, &batch(&[10, 20])), 4);
        assert_eq!(next_count(4, 1000, BUDGET, &batch(&[10, 20])), 4);
        assert_eq!(next_count(800, 1000, BUDGET, &batch(&[10; 800])), 1000);
        assert_eq!(next_count(16, 1000, BUDGET, &batch(&[])), 16);
        assert_eq!(next_count(1000, 1000, BUDGET, &batch(&[1 << 20, 10])), 16);
        assert_eq!(next_count(16, 1000, BUDGET, &batch(&[64 << 20])), 1);
    }
}
