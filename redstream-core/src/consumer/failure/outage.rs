//! Whether the datastore fails, and how to wait until it answers again.

use super::{Consumer, Failure, RetryBatch};
use crate::error::Result;
use crate::message::Message;
use crate::message::entry::Entry;
use crate::metrics;
use crate::time::backoff::Pauses;
use crate::transport::replies::Range;

/// How many of the newest entries may be tried to find out whether the datastore answers.
const NEWEST: usize = 3;

impl RetryBatch<'_> {
    /// Whether any message can be handled now: one that succeeded before, one of the newest, or one of those pending.
    pub(super) async fn datastore_answers(&mut self) -> Result<bool> {
        let mut probes: Vec<Message> = self.canary().await.into_iter().collect();
        probes.extend(self.newest().await?);
        if self.pending.len() > 1 {
            probes.push(self.pending[self.rounds as usize % self.pending.len()].clone());
        }
        if self.try_each(probes).await {
            return Ok(true);
        }
        if self.context.shutdown.is_cancelled() {
            return Ok(false);
        }
        if !self.outage {
            self.outage = true;
            let Consumer { stream, name, .. } = self.context.consumer;
            ::metrics::gauge!(metrics::OUTAGE, &self.context.consumer.labels()).set(1.0);
            tracing::error!(
                %stream, consumer = name, pending = self.pending.len(),
                "nothing can be handled: taken for an outage of the datastore; nothing is given up, and work goes on \
                 when it answers"
            );
        }
        Ok(false)
    }

    /// Tries one or two messages at a time until one succeeds: the first that can be handled again ends the outage.
    /// `false`: shutdown was requested meanwhile.
    pub(super) async fn wait_out_outage(&mut self, failure: &Failure) -> Result<bool> {
        let (min, max) = self.context.consumer.backoff;
        let mut pauses = Pauses::for_outage(min, max);
        while self.outage {
            if !self.pause(failure, &mut pauses).await? {
                return Ok(false);
            }
            self.rounds += 1;
            // The message that succeeded before may be the one that fails now.
            let others: Vec<Message> = self.newest().await?.into_iter().chain(self.pending.iter().cloned()).collect();
            let turn = self.rounds as usize % others.len().max(1);
            self.try_each(self.canary().await.into_iter().chain(others.into_iter().nth(turn))).await;
        }
        Ok(!self.context.shutdown.is_cancelled())
    }

    /// Whether one of them succeeds; the rest is then not tried.
    async fn try_each(&mut self, probes: impl IntoIterator<Item = Message>) -> bool {
        for probe in probes {
            if self.context.shutdown.is_cancelled() {
                return false;
            }
            if self.attempt(vec![probe.clone()]).await.is_ok() {
                self.pending.retain(|message| *message != probe);
                self.mend();
                return true;
            }
        }
        false
    }

    async fn canary(&self) -> Option<Message> {
        self.context.consumer.canary.lock().await.clone()
    }

    /// Of each of the newest entries the last message that is not pending.
    async fn newest(&self) -> Result<Vec<Message>> {
        let mut xrevrange = redis::cmd("XREVRANGE");
        xrevrange.arg(&self.context.versions.member().stream).arg("+").arg("-").arg("COUNT").arg(NEWEST);
        let Range(newest) = self.context.session.command("look for a message to try", &xrevrange).await?;
        let name = &self.context.consumer.name;
        let others =
            |entry: Entry| entry.filter(|message| message.is_for(name) && !self.pending.contains(message)).last();
        Ok(newest.into_iter().filter_map(others).collect())
    }

    fn mend(&mut self) {
        if std::mem::take(&mut self.outage) {
            ::metrics::gauge!(metrics::OUTAGE, &self.context.consumer.labels()).set(0.0);
            let Consumer { stream, name, .. } = self.context.consumer;
            tracing::warn!(%stream, consumer = name, "the datastore answers again: going on where it stood");
        }
    }
}
