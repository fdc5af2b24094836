//! Fills streams with messages.

use crate::key::messages;
use anyhow::Result;
use redstream_core::{Batch, Redstream, Stream};
use std::time::Duration;

const AT_ONCE: usize = 100_000;

/// Registers a consumer and a delayer, as an application has them: messages share entries if both can read those.
pub(crate) async fn readers(stream: &Stream) -> Result<()> {
    stream.consumer("bench", |_: Batch| async { Ok(()) }).run_once().await?;
    stream.delayer(Duration::from_secs(300)).run_once().await?;
    Ok(())
}

/// Adds this many main messages.
pub(crate) async fn main(redstream: &Redstream, stream: &Stream, mut count: usize) -> Result<()> {
    let some = messages(stream.name(), 0..count.min(AT_ONCE))?;
    while count > 0 {
        let now = count.min(some.len());
        redstream.producer().queue_all(&some[..now]).await?;
        count -= now;
    }
    Ok(())
}

/// Adds this many delay messages, each with a different key.
pub(crate) async fn delayed(redstream: &Redstream, stream: &Stream, count: usize) -> Result<()> {
    redstream.producer().delay_all(&messages(stream.name(), 0..count)?).await?;
    Ok(())
}
