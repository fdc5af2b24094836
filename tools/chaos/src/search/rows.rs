//! Rows that no writer touches: each search must find them, once the index is filled.

use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use redstream_seaorm::{Key, RedstreamExt as _};
use tokio::time::sleep;

use crate::database::Primary;
use crate::item::with_entity;
use crate::search::state::Search;

/// The number of the first such item.
const FIRST: i64 = 300;

/// What their values begin with. No other value does.
pub(crate) const VALUE: &str = "settled.";

/// Inserts these and announces them, by one message for each at least. Returns when they are in the stream.
pub(crate) async fn add(search: &Search, primary: &Primary, which: Range<usize>) -> Result<()> {
    let first = i64::try_from(which.start)?;
    let values = which.map(|nth| format!("{VALUE}{nth}"));
    let stored = primary.insert(FIRST + first, values.collect()).await?;
    with_entity!(primary.keys, E => {
        // Redis may be down for a while.
        while let Err(error) = search.redstream.reindex_keys(stored.iter().map(|id| Key::<E>::new(<E as crate::item::Item>::id(id)))).await {
            tracing::debug!(%error, "rows are not announced yet");
            sleep(Duration::from_millis(50)).await;
        }
    });
    search.settled().extend(stored);
    Ok(())
}
