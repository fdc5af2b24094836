//! One program at a time points the alias at the new index, or removes that index.

use std::time::Duration;

use redstream_core::{Error, LockGuard, ReindexState, Stream};

use super::Swap;
use crate::entity::streamed::{Streamed, table};
use crate::entity::streams::entity_stream;
use crate::swap::error::SwapError;

/// After how long without renewal another program has its turn.
const TTL: Duration = Duration::from_secs(5);

impl<E: Streamed> Swap<'_, E> {
    /// Waits until no other program switches or aborts this swap.
    pub(super) async fn turn(&self, streams: &[Stream]) -> Result<LockGuard, SwapError> {
        let Some(stream) = streams.first() else {
            let reason = format!("`{}` has no stream", table::<E>());
            return Err(Error::InvalidOption { option: "shards", reason }.into());
        };
        let lock = stream.work_lock("swap", self.lock_ttl.unwrap_or(TTL))?;
        match lock.acquire_within(self.patience).await? {
            Some(turn) => Ok(turn),
            None => Err(SwapError::Busy { index: self.name() }),
        }
    }

    /// Points the alias at the new index. Returns whether it did: not if the swap was aborted meanwhile.
    pub(super) async fn switch(&self, streams: &[Stream], walk: &str, before: Option<&str>) -> Result<bool, SwapError> {
        let turn = self.turn(streams).await?;
        let record = entity_stream::<E>(&self.redstream)?.reindexes().get(walk).await?;
        let is_whole = record.is_some_and(|record| record.state == ReindexState::CaughtUp);
        if is_whole {
            self.must_have_all(streams).await?;
            let switching = self.index.switch(before);
            tokio::select! {
                biased;
                () = turn.lost() => return Err(SwapError::Busy { index: self.name() }),
                switched = switching => switched.map_err(|source| self.failed("switch to", source))?,
            }
        }
        turn.release().await?;
        Ok(is_whole)
    }

    /// Removes the new index, which is not in use.
    pub(super) async fn remove_unused(&self, turn: &LockGuard) -> Result<(), SwapError> {
        let name = self.name();
        tokio::select! {
            biased;
            () = turn.lost() => Err(SwapError::Busy { index: name }),
            removed = self.index.remove(&name) => removed.map_err(|source| self.failed("remove", source)),
        }
    }
}
