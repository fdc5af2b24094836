//! The verbs on consumers: pause, resume, rewind, forget; and trim.

use std::time::Duration;

use anyhow::{Context, Result};
use redstream_core::{ConsumerOverview, Error, MessageId, Redstream, Start, Stream, Trimmed};
use serde_json::json;

use crate::Answer;
use crate::arguments::{Consent, Consumer};
use crate::consent;
use crate::output::{Output, count};

pub(crate) async fn pause(
    redstream: &Redstream,
    Consumer { stream, consumer }: &Consumer,
    within: Duration,
    output: Output,
) -> Result<Answer> {
    let rests = redstream.stream(stream)?.pause(consumer, within).await?;
    let told = json!({ "stream": stream, "consumer": consumer, "paused": true, "rests": rests });
    output.print(&told, |_| {
        if rests {
            format!("{stream}/{consumer} is paused, and no host is at work")
        } else {
            format!("{stream}/{consumer} is paused; a host is still at work, and stops at its next commit")
        }
    })?;
    Ok(if rests { Answer::Yes } else { Answer::No })
}

pub(crate) async fn resume(
    redstream: &Redstream,
    Consumer { stream, consumer }: &Consumer,
    output: Output,
) -> Result<Answer> {
    redstream.stream(stream)?.resume(consumer).await?;
    let told = json!({ "stream": stream, "consumer": consumer, "paused": false });
    output.print(&told, |_| format!("{stream}/{consumer} may work"))?;
    Ok(Answer::Yes)
}

pub(crate) async fn rewind(
    redstream: &Redstream,
    Consumer { stream: name, consumer }: &Consumer,
    to: Start,
    consent: Consent,
    output: Output,
) -> Result<Answer> {
    let stream = redstream.stream(name)?;
    let now = known(&stream, consumer).await?;
    let impact = impact_of_rewind(&stream, &now, to).await?;
    if !consent::is_given(consent, &format!("{name}/{consumer}: {impact}"))? {
        return Ok(Answer::No);
    }
    let offset = stream.rewind(consumer, to).await?;
    let told = json!({ "stream": name, "consumer": consumer, "offset": offset.to_string() });
    output.print(&told, |_| format!("{name}/{consumer} continues after {offset}"))?;
    Ok(Answer::Yes)
}

/// How many messages are handled again, or skipped.
async fn impact_of_rewind(stream: &Stream, now: &ConsumerOverview, to: Start) -> Result<String> {
    let lag = |more: bool| if more { "more than " } else { "" };
    let ahead = format!("{}{} messages", lag(now.lag_is_more), count(now.lag));
    Ok(match to {
        Start::Latest => format!("{ahead} that it has not handled are skipped, and never reach what it feeds."),
        Start::Earliest => {
            let entries = stream.len().await?;
            format!("all that is in the stream is handled again: {} entries of up to 100 messages.", count(entries))
        }
        Start::After(_) | Start::At(_) => {
            let offset = now.offset.unwrap_or(MessageId::MIN);
            format!(
                "it stands at {offset}, with {ahead} ahead. Messages before the new place are skipped or stay handled, those after it are handled, again if they were."
            )
        }
        _ => ahead,
    })
}

pub(crate) async fn forget(
    redstream: &Redstream,
    Consumer { stream: name, consumer }: &Consumer,
    consent: Consent,
    output: Output,
) -> Result<Answer> {
    let stream = redstream.stream(name)?;
    let impact = match known(&stream, consumer).await {
        Ok(now) => {
            let lag = count(now.lag) + if now.lag_is_more { "+" } else { "" };
            format!(
                "{name}/{consumer}: its offset is removed; {lag} messages that it has not handled may be trimmed, and {} dead letters stay.",
                count(now.dead_letters)
            )
        }
        // Trimming does not wait for such a one.
        Err(_) if stream.offsets().get(consumer).await?.is_some() => {
            format!("{name}/{consumer}: it is not registered; its offset is removed.")
        }
        Err(error) => return Err(error),
    };
    if !consent::is_given(consent, &impact)? {
        return Ok(Answer::No);
    }
    stream.forget(consumer).await?;
    output.print(&json!({ "stream": name, "consumer": consumer, "forgotten": true }), |_| {
        format!("{name}/{consumer} is forgotten")
    })?;
    Ok(Answer::Yes)
}

/// The consumer as it is now, or the error that lists those that exist.
async fn known(stream: &Stream, consumer: &str) -> Result<ConsumerOverview> {
    let consumers = stream.overview().await?.consumers;
    let known: Vec<_> = consumers.iter().map(|known| known.name.clone()).collect();
    let found = consumers.into_iter().find(|known| known.name == consumer);
    Ok(found.ok_or_else(|| Error::NoSuchConsumer {
        stream: stream.name().clone(),
        consumer: consumer.to_owned(),
        known,
    })?)
}

pub(crate) async fn trim(redstream: &Redstream, name: &str, output: Output) -> Result<Answer> {
    let stream = redstream.stream(name)?;
    let trimmed = stream.trimmer().run_once().await.with_context(|| format!("could not trim {name}"))?;
    let (removed, reason) = match &trimmed {
        Trimmed::Removed(entries) => (*entries, None),
        Trimmed::WaitingFor(consumer) => (0, Some(format!("{consumer} has committed nothing yet"))),
        Trimmed::NoConsumers => (0, Some("the stream has no consumer, so nothing is known to be handled".to_owned())),
        Trimmed::Standby => (0, Some("another host trims it now".to_owned())),
        Trimmed::OffsetBeyondStream { consumer, .. } => {
            (0, Some(format!("the offset of {consumer} is beyond the stream's end: Redis lost messages")))
        }
        _ => (0, Some("nothing was removed".to_owned())),
    };
    output.print(&json!({ "stream": name, "removed_entries": removed, "reason": reason }), |_| {
        let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        format!("{} entries removed from {name}{reason}", count(removed))
    })?;
    Ok(if reason.is_none() { Answer::Yes } else { Answer::No })
}
