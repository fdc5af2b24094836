//! Reads batches through redis-rs, which takes in a reply of any size.
//!
//! The size of entries is known only once they are read, and Redis sends a reply as a whole. So a read of many entries
//! is a script that stops once the payloads have reached the budget. That costs Redis four times as much as a plain
//! read; so if the stream is so light that no batch of it can reach the budget, a plain read is used.

use std::sync::Arc;

use super::unread::{Unread, entries_for, messages};
use super::{ATTEMPT, BLOCK, Limits, NEWS, Portion, TOGETHER, xread};
use crate::error::Result;
use crate::message::entry::Entry;
use crate::message::{Message, MessageId};
use crate::transport::pool::Wanted;
use crate::transport::replies::{Entries, Flat, MOST, Range};
use crate::transport::scripts;
use crate::transport::session::Session;

/// After this many large reads the weight of the stream is queried again.
const ASK_AGAIN: usize = 16;

/// Reads one stream through one session.
#[derive(Clone)]
pub(crate) struct Scripted {
    session: Session,
    stream: Arc<str>,
    limits: Limits,
    /// There may be more than the last read returned.
    more: bool,
    /// The last read found nothing, so that the worker may wait together with others.
    is_quiet: bool,
    /// How many entries to wait for.
    news: usize,
    /// How many entries hold the messages of a batch, as far as is known.
    full: usize,
    /// Up to this id no read of that many entries can reach the budget.
    light_up_to: MessageId,
    ask_in: usize,
    unread: Unread,
    portion: Portion,
}

impl Scripted {
    pub(super) fn new(session: Session, stream: &str, limits: Limits, portion: Portion) -> Self {
        let (most, light_up_to) = (limits.most, MessageId::MIN);
        let (news, full, unread) = (NEWS.min(most), most, Unread::default());
        Self {
            session,
            stream: stream.into(),
            limits,
            more: true,
            is_quiet: true,
            news,
            full,
            light_up_to,
            ask_in: 1,
            unread,
            portion,
        }
    }

    pub(super) fn may_have_more(&self) -> bool {
        self.more || !self.unread.is_empty()
    }

    /// What is after `after`; if there is nothing, what arrives within two seconds.
    pub(super) async fn read(&mut self, after: MessageId) -> Result<Vec<Message>> {
        if self.may_have_more() {
            let batch = self.read_now(after).await?;
            if !batch.is_empty() {
                return Ok(batch);
            }
        }
        let wanted = Wanted::Message { stream: &self.stream, after };
        if self.is_quiet && !self.session.waits_alone() && self.session.wait(ATTEMPT, wanted, TOGETHER).await? {
            return self.read_now(after).await;
        }
        let news = self.portion.of(self.news);
        let waited = self.wait(news, after).await;
        let entries = waited.inspect_err(|error| self.portion.failed(&self.stream, news, error))?;
        self.portion.went_well(news, entries.len());
        self.more = entries.len() == news;
        let largest = entries.iter().map(Entry::bytes).max().unwrap_or_default();
        self.news = (self.limits.budget / largest.max(1)).clamp(1, NEWS).min(self.limits.most);
        Ok(self.first_of(after, entries))
    }

    /// What is after `after` now, without waiting.
    pub(super) async fn read_now(&mut self, after: MessageId) -> Result<Vec<Message>> {
        let batch = self.unread.batch(after, self.limits);
        if !batch.is_empty() {
            return Ok(batch);
        }
        let is_light = after < self.light_up_to;
        // A plain read counts entries, the script messages.
        let most = self.portion.of(if is_light { self.full } else { self.limits.most });
        let read = if is_light { self.plain(most, after).await } else { self.weighed(most, after).await };
        let entries = read.inspect_err(|error| self.portion.failed(&self.stream, most, error))?;
        let brought = if is_light { entries.len() } else { messages(&entries) };
        self.portion.went_well(most, brought);
        if brought >= most {
            self.look_ahead(&entries).await?;
        }
        Ok(self.first_of(after, entries))
    }

    /// The first batch of these entries; the rest is kept.
    fn first_of(&mut self, after: MessageId, entries: Vec<Entry>) -> Vec<Message> {
        self.is_quiet = entries.is_empty();
        if !self.is_quiet {
            self.full = entries_for(self.limits.most, &entries).min(self.limits.most);
        }
        self.unread.put(after, entries);
        self.unread.batch(after, self.limits)
    }

    async fn plain(&self, most: usize, after: MessageId) -> Result<Vec<Entry>> {
        let mut xrange = redis::cmd("XRANGE");
        xrange.arg(&*self.stream).arg(format!("({}", after.offset())).arg(self.light_up_to.to_string());
        let Range(entries) = self.session.bulk(ATTEMPT, xrange.arg("COUNT").arg(most.min(MOST))).await?;
        Ok(entries)
    }

    async fn weighed(&self, most: usize, after: MessageId) -> Result<Vec<Entry>> {
        let mut script = scripts::READ.prepare_invoke();
        script.key(&*self.stream).arg(after.offset().to_string()).arg(most).arg(self.limits.budget);
        let Flat(entries) = self.session.bulk_script(ATTEMPT, &script).await?;
        Ok(entries)
    }

    /// For a consumer with much to read: up to which id plain reads are safe. Queried again after that id is passed,
    /// but not each time.
    async fn look_ahead(&mut self, entries: &[Entry]) -> Result<()> {
        self.ask_in = self.ask_in.saturating_sub(1);
        let passed = entries.last().is_some_and(|last| last.id() >= self.light_up_to);
        if passed && self.ask_in == 0 {
            let mut script = scripts::LIGHT.prepare_invoke();
            script.key(&*self.stream).arg(self.limits.most).arg(self.limits.budget);
            let id: String = self.session.bulk_script("ask how large a stream is", &script).await?;
            self.light_up_to = id.parse().unwrap_or(MessageId::MIN);
            self.ask_in = ASK_AGAIN;
        }
        Ok(())
    }

    async fn wait(&self, news: usize, after: MessageId) -> Result<Vec<Entry>> {
        let xread = xread(&self.stream, news, after, Some(BLOCK));
        let Entries(entries) = self.session.blocking(ATTEMPT, &xread, BLOCK).await?;
        Ok(entries)
    }
}
