//! `redstream tail`: messages as they come.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use redstream_core::{Message, MessageId, Redstream, Stream};
use serde::Serialize;

use crate::Answer;
use crate::arguments::Tail;
use crate::output::Output;
use crate::start::Place;

/// How often it looks for new messages. It reads without a lock and without a registration, so that it changes nothing.
const LOOK: Duration = Duration::from_millis(200);

/// How many are read per call.
const PAGE: usize = 500;

#[derive(Debug, Serialize)]
struct Line {
    id: String,
    /// When Redis added it, in milliseconds since 1970.
    at: u64,
    /// As JSON if it is that, otherwise as text.
    payload: serde_json::Value,
}

pub(crate) async fn tail(redstream: &Redstream, tail: &Tail, output: Output) -> Result<Answer> {
    let stream = redstream.stream(&tail.stream)?;
    let mut after = begin(&stream, tail).await?;
    let mut left = tail.count.unwrap_or(usize::MAX);
    while left > 0 {
        let limit = left.min(PAGE);
        let messages = if tail.delayed {
            stream.delay_messages(after, limit).await?
        } else {
            stream.messages(after, limit).await?
        };
        for message in &messages {
            output.print_line(&line(message), |line| format!("{}  {}  {}", line.id, time(line.at), line.payload))?;
        }
        left -= messages.len();
        after = messages.last().map_or(after, Message::id);
        if messages.is_empty() {
            if tail.no_follow {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = tokio::signal::ctrl_c() => break,
            }
        }
    }
    Ok(Answer::Yes)
}

async fn begin(stream: &Stream, tail: &Tail) -> Result<MessageId> {
    Ok(match tail.from {
        Place::Earliest => MessageId::MIN,
        Place::Latest if tail.delayed => stream.last_delay_id().await?,
        Place::Latest => stream.last_id().await?,
        Place::After(id) => id,
        Place::At(time) => {
            let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
            ms.checked_sub(1).map_or(MessageId::MIN, |before| MessageId::new(before, u64::MAX))
        }
    })
}

fn line(message: &Message) -> Line {
    let raw = message.raw();
    let payload = serde_json::from_slice(raw).unwrap_or_else(|_| String::from_utf8_lossy(raw).into_owned().into());
    Line { id: message.id().to_string(), at: message.id().ms, payload }
}

fn time(ms: u64) -> String {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms));
    // Beyond the year 9999 an id was made by hand.
    let time = time.filter(|_| ms < 253_402_300_800_000);
    time.map_or_else(|| "-".to_owned(), |time| humantime::format_rfc3339_millis(time).to_string())
}
