//! Waiting for something, under a bound.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep, timeout_at};

const POLL: Duration = Duration::from_millis(20);

/// Asks repeatedly until there is an answer. Errors if asking does, and if the bound passes; the error names what was
/// waited for.
pub(crate) async fn eventually<T, Asked>(
    what: &str,
    bound: Duration,
    mut ask: impl FnMut() -> Asked,
) -> anyhow::Result<T>
where
    // Not `AsyncFnMut`, whose future cannot be known to be `Send`.
    Asked: Future<Output = anyhow::Result<Option<T>>>,
{
    let deadline = Instant::now() + bound;
    // An ask that never waits never times out, so the clock is checked, too.
    while Instant::now() < deadline
        && let Ok(answer) = timeout_at(deadline, ask()).await
    {
        if let Some(answer) = answer? {
            return Ok(answer);
        }
        sleep(POLL).await;
    }
    bail!("waited {} seconds in vain: {what}", bound.as_secs())
}
