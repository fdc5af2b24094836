//! The record in Redis, which operators change as well.

use std::time::Instant;

use super::Run;
use crate::error::Result;
use crate::reindex::record::ReindexState;
use crate::reindex::records::{Replaced, parse};
use crate::reindex::source::KeySource;

impl<S: KeySource> Run<'_, S> {
    /// Stores the record, unless another process holds the lock by now. If an operator changed its state, that counts.
    pub(super) async fn write(&mut self) -> Result<()> {
        loop {
            let text = self.record.text();
            match self.walk.records().replace(&self.walk.id, &self.stored, &text, Some(self.guard)).await? {
                Replaced::Stored => {
                    (self.stored, self.seen) = (text, Instant::now());
                    return Ok(());
                }
                Replaced::Changed(now) => self.adopt(now)?,
            }
        }
    }

    /// Takes over what an operator has set. A record that is gone is written again.
    pub(super) fn adopt(&mut self, now: String) -> Result<()> {
        self.seen = Instant::now();
        if now == self.stored {
            return Ok(());
        }
        if !now.is_empty() {
            let state = parse(&self.walk.id, &now)?.state;
            if state.is_finished() || state == ReindexState::Paused {
                self.record.state = state;
            } else if self.record.state == ReindexState::Paused {
                self.record.state = ReindexState::Running;
            }
        }
        self.stored = now;
        Ok(())
    }
}
