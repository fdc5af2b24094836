//! Trims a stream at once, and says before what that would remove.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{self, Query};
use redstream_core::{MessageId, Stream, Trimmed};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Failure;
use crate::state::State;

/// How many messages are counted.
const MOST: u64 = 100_000;

#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    stream: String,
}

/// What a trim would remove.
#[derive(Debug, Serialize)]
pub(crate) struct Impact {
    messages: u64,
    /// There are more, which were not counted.
    is_more: bool,
    /// Why nothing would be removed.
    reason: Option<String>,
}

impl Impact {
    fn nothing(reason: String) -> Self {
        Self { messages: 0, is_more: false, reason: Some(reason) }
    }
}

/// `trim-impact`: how many messages all consumers have committed.
pub(crate) async fn impact(
    extract::State(state): extract::State<Arc<State>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Impact>, Failure> {
    let Query(wanted) = wanted.map_err(|error| Failure::Unreadable(error.body_text()))?;
    of(&state.redstream.stream(&wanted.stream)?).await.map(Json)
}

async fn of(stream: &Stream) -> Result<Impact, Failure> {
    let consumers = stream.overview().await?.consumers;
    if consumers.is_empty() {
        return Ok(Impact::nothing(no_consumer()));
    }
    let mut committed = MessageId::MAX;
    for consumer in consumers {
        let Some(offset) = consumer.offset else { return Ok(Impact::nothing(waiting_for(&consumer.name))) };
        committed = committed.min(offset);
    }
    let (all, behind) = (stream.count_after(MessageId::MIN, MOST).await?, stream.count_after(committed, MOST).await?);
    let messages = all.messages.saturating_sub(behind.messages);
    let is_more = !all.is_all;
    let reason = (messages == 0 && !is_more).then(|| "no message that is there was committed by all".to_owned());
    Ok(Impact { messages, is_more, reason })
}

/// Removes it. It also waits for consumers that have an offset and are not registered, such as those of the Ruby gem.
pub(crate) async fn now(stream: &Stream) -> Result<Value, Failure> {
    let consumers = stream.overview().await?.consumers.into_iter().map(|consumer| consumer.name);
    let trimmer = consumers.fold(stream.trimmer(), redstream_core::Trimmer::also);
    let (removed, reason) = match trimmer.run_once().await? {
        Trimmed::Removed(entries) => (entries, None),
        Trimmed::WaitingFor(consumer) => (0, Some(waiting_for(&consumer))),
        Trimmed::NoConsumers => (0, Some(no_consumer())),
        Trimmed::Standby => (0, Some("another host trims it now".to_owned())),
        Trimmed::OffsetBeyondStream { consumer, .. } => {
            (0, Some(format!("the offset of {consumer} is beyond the end of the stream: Redis lost messages")))
        }
        _ => (0, Some("nothing was removed".to_owned())),
    };
    Ok(json!({ "removed_entries": removed, "reason": reason }))
}

fn no_consumer() -> String {
    "the stream has no consumer, so it is not known what is still needed".to_owned()
}

fn waiting_for(consumer: &str) -> String {
    format!("{consumer} has committed nothing yet")
}
