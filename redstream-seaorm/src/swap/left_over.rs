//! Documents that the index has from earlier times.
//!
//! An index that was used before can have documents of rows that were deleted since its consumer was forgotten: no
//! message says so any more, and no walk over the rows finds them. Their versions are lower than any that the consumer
//! was given after it was registered, since a version is not lower than the time in microseconds. Documents of rows are
//! written anew by the walk.

use redstream_core::Stream;

use super::Swap;
use super::consumers::registered_at;
use crate::entity::streamed::{Streamed, messages};
use crate::failpoint::failpoint;
use crate::swap::error::SwapError;

impl<E: Streamed> Swap<'_, E> {
    /// Has the consumer look at those documents: it deletes them if they have no row. Returns how many there were.
    pub(super) async fn announce_left_over(&self, streams: &[Stream]) -> Result<u64, SwapError> {
        let registered_at = registered_at(streams, &self.consumer).await?;
        let (version, mut page, mut left_over) = (registered_at.saturating_mul(1000), None, 0);
        loop {
            let older = self.index.older(version, page).await;
            let older = older.map_err(|source| self.failed("read the versions of", source))?;
            if !older.keys.is_empty() {
                let messages = messages(&older.keys).map_err(|source| SwapError::Key { index: self.name(), source })?;
                self.redstream.producer().queue_all(&messages).await?;
                failpoint!("swap: left over queued");
                left_over += older.keys.len() as u64;
                // Before the next page, so that the stream does not grow without limit.
                self.catch_up(streams).await?;
            }
            page = older.next;
            if page.is_none() {
                return Ok(left_over);
            }
        }
    }
}
