//! Reads batches over a connection with its own protocol code, which skips entries beyond the budget.
//!
//! So a plain `XREAD` is safe whatever the size of the entries, and one command reads what is there and waits for what
//! comes. It requests few entries at first, and then no more than fit by the size of the largest of the last read, and
//! by the number of their messages: what Redis prepares in vain is then little, unless entries grow a thousandfold from
//! one to the next.

use std::sync::Arc;
use std::time::Duration;

use super::unread::{Unread, entries_for};
use super::{ATTEMPT, BLOCK, Limits, NEWS, Portion, TOGETHER, xread};
use crate::error::Result;
use crate::message::entry::Entry;
use crate::message::{Message, MessageId};
use crate::transport::pool::Wanted;
use crate::transport::session::Session;

/// Reads one stream through one session.
#[derive(Clone)]
pub(crate) struct Streaming {
    session: Session,
    stream: Arc<str>,
    limits: Limits,
    /// How many entries the next read requests.
    count: usize,
    /// There may be more than the last read returned.
    more: bool,
    /// The last read found nothing, so that the worker may wait together with others.
    is_quiet: bool,
    unread: Unread,
    portion: Portion,
}

impl Streaming {
    pub(super) fn new(session: Session, stream: &str, limits: Limits, portion: Portion) -> Self {
        let (count, unread) = (NEWS.min(limits.most), Unread::default());
        Self { session, stream: stream.into(), limits, count, more: true, is_quiet: true, unread, portion }
    }

    pub(super) fn may_have_more(&self) -> bool {
        self.more || !self.unread.is_empty()
    }

    /// What is after `after`; if there is nothing, what arrives within a while.
    pub(super) async fn read(&mut self, after: MessageId) -> Result<Vec<Message>> {
        if self.is_quiet && !self.session.waits_alone() {
            let batch = self.read_once(after, None).await?;
            let wanted = Wanted::Message { stream: &self.stream, after };
            if !batch.is_empty() || self.session.wait(ATTEMPT, wanted, TOGETHER).await? {
                return Ok(batch);
            }
        }
        self.read_once(after, Some(BLOCK)).await
    }

    /// What is after `after` now, without waiting.
    pub(super) async fn read_now(&mut self, after: MessageId) -> Result<Vec<Message>> {
        self.read_once(after, None).await
    }

    async fn read_once(&mut self, after: MessageId, block: Option<Duration>) -> Result<Vec<Message>> {
        let batch = self.unread.batch(after, self.limits);
        if !batch.is_empty() {
            return Ok(batch);
        }
        let (count, budget) = (self.portion.of(self.count), self.limits.budget);
        let xread = xread(&self.stream, count, after, block);
        let read = self.session.xread(ATTEMPT, &xread, block.unwrap_or_default(), budget).await;
        let entries = read.inspect_err(|error| self.portion.failed(&self.stream, count, error))?;
        self.portion.went_well(count, entries.len());
        self.is_quiet = entries.is_empty();
        self.more = entries.len() >= count || entries.iter().map(Entry::bytes).sum::<usize>() >= budget;
        self.count = next_count(count, self.limits, &entries);
        self.unread.put(after, entries);
        Ok(self.unread.batch(after, self.limits))
    }
}

/// Twice as many while all requested entries came, limited to what fits by the largest, and to as many as hold the
/// messages of a batch.
fn next_count(count: usize, limits: Limits, last: &[Entry]) -> usize {
    let wanted = if last.len() < count { count } else { count.saturating_mul(2) };
    let largest = last.iter().map(Entry::bytes).max().unwrap_or_default();
    wanted.min(entries_for(limits.most, last)).min(limits.budget / largest.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::scripts::BUDGET;

    const LIMITS: Limits = Limits { most: 1000, budget: BUDGET, whole_entries: false };

    fn read(sizes: &[usize]) -> Vec<Entry> {
        sizes.iter().map(|size| Entry::one(MessageId::MIN, vec![b'0'; *size])).collect()
    }

    #[test]
    fn more_is_asked_for_while_all_came_and_there_is_room() {
        assert_eq!(next_count(2, LIMITS, &read(&[10, 20])), 4);
        assert_eq!(next_count(4, LIMITS, &read(&[10, 20])), 4);
        assert_eq!(next_count(800, LIMITS, &read(&[10; 800])), 1000);
        assert_eq!(next_count(16, LIMITS, &read(&[])), 16);
        assert_eq!(next_count(1000, LIMITS, &read(&[1 << 20, 10])), 16);
        assert_eq!(next_count(16, LIMITS, &read(&[64 << 20])), 1);
    }

    #[test]
    fn entries_of_several_messages_count_as_these() {
        let read = |entries| vec![Entry::several(MessageId::MIN, vec![b'\n'; 99]); entries];
        assert_eq!(next_count(16, LIMITS, &read(16)), 10);
        assert_eq!(next_count(2, LIMITS, &read(2)), 4);
        assert_eq!(next_count(2, Limits { most: 50, ..LIMITS }, &read(2)), 1);
    }
}
