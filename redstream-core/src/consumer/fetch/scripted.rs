//! Reads batches through redis-rs, which takes in a reply of any size.
//!
//! The size of messages is known only once they are read, and Redis sends a reply as a whole. So a read of many
//! messages is a script that stops once the payloads have reached the budget. That costs Redis four times as much as a
//! plain read; so if the stream is so light that no batch of it can reach the budget, a plain read is used.

use std::sync::Arc;

use super::{ATTEMPT, BLOCK, NEWS, Portion, xread};
use crate::error::Result;
use crate::message::{Message, MessageId};
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
    most: usize,
    budget: usize,
    /// There may be more than the last read returned.
    more: bool,
    /// How many messages to wait for.
    news: usize,
    /// Up to this id no batch can reach the budget.
    light_up_to: MessageId,
    ask_in: usize,
    portion: Portion,
}

impl Scripted {
    /// Batches of up to `most` messages, and no more once they have reached the budget, in bytes.
    pub(super) fn new(session: Session, stream: &str, most: usize, budget: usize, portion: Portion) -> Self {
        let (news, light_up_to) = (NEWS.min(most), MessageId::MIN);
        Self { session, stream: stream.into(), most, budget, more: true, news, light_up_to, ask_in: 1, portion }
    }

    pub(super) fn may_have_more(&self) -> bool {
        self.more
    }

    /// What is after `after`; if there is nothing, what arrives within two seconds.
    pub(super) async fn read(&mut self, after: MessageId) -> Result<Vec<Message>> {
        if self.more {
            let batch = self.read_now(after).await?;
            if !batch.is_empty() {
                return Ok(batch);
            }
        }
        let news = self.portion.of(self.news);
        let batch = self.noted(news, self.wait(news, after).await)?;
        self.more = batch.len() == news;
        let largest = batch.iter().map(|message| message.raw().len()).max().unwrap_or_default();
        self.news = (self.budget / largest.max(1)).clamp(1, NEWS).min(self.most);
        Ok(batch)
    }

    /// What is after `after` now, without waiting.
    pub(super) async fn read_now(&mut self, after: MessageId) -> Result<Vec<Message>> {
        let most = self.portion.of(self.most);
        let read =
            if after < self.light_up_to { self.plain(most, after).await } else { self.weighed(most, after).await };
        let batch = self.noted(most, read)?;
        if batch.len() == most {
            self.look_ahead(&batch).await?;
        }
        Ok(batch)
    }

    fn noted(&self, count: usize, read: Result<Vec<Message>>) -> Result<Vec<Message>> {
        match &read {
            Ok(batch) => self.portion.went_well(count, batch.len()),
            Err(error) => self.portion.failed(&self.stream, count, error),
        }
        read
    }

    async fn plain(&self, most: usize, after: MessageId) -> Result<Vec<Message>> {
        let mut xrange = redis::cmd("XRANGE");
        xrange.arg(&*self.stream).arg(format!("({after}")).arg(self.light_up_to.to_string());
        let Range(batch) = self.session.bulk(ATTEMPT, xrange.arg("COUNT").arg(most.min(MOST))).await?;
        Ok(batch)
    }

    async fn weighed(&self, most: usize, after: MessageId) -> Result<Vec<Message>> {
        let mut script = scripts::READ.prepare_invoke();
        script.key(&*self.stream).arg(after.to_string()).arg(most).arg(self.budget);
        let Flat(batch) = self.session.bulk_script(ATTEMPT, &script).await?;
        Ok(batch)
    }

    /// For a consumer with much to read: up to which id plain reads are safe. Queried again after that id is passed,
    /// but not each time.
    async fn look_ahead(&mut self, batch: &[Message]) -> Result<()> {
        self.ask_in = self.ask_in.saturating_sub(1);
        let passed = batch.last().is_some_and(|last| last.id() >= self.light_up_to);
        if passed && self.ask_in == 0 {
            let mut script = scripts::LIGHT.prepare_invoke();
            script.key(&*self.stream).arg(self.most).arg(self.budget);
            let id: String = self.session.bulk_script("ask how large a stream is", &script).await?;
            self.light_up_to = id.parse().unwrap_or(MessageId::MIN);
            self.ask_in = ASK_AGAIN;
        }
        Ok(())
    }

    async fn wait(&self, news: usize, after: MessageId) -> Result<Vec<Message>> {
        let xread = xread(&self.stream, news, after, Some(BLOCK));
        let Entries(batch) = self.session.blocking(ATTEMPT, &xread, BLOCK).await?;
        Ok(batch)
    }
}
