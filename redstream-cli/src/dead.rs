//! `redstream dead`: messages that a consumer could not handle.

use std::collections::BTreeMap;

use anyhow::Result;
use redstream_core::{DeadLetter, DeadLetters, Error, MessageId, Redstream};
use serde::Serialize;
use serde_json::json;

use crate::Answer;
use crate::arguments::{Consumer, Dead, Which};
use crate::consent;
use crate::output::{Output, count, table};

/// How many are read per call: each may have 1 MiB.
const PAGE: usize = 16;

pub(crate) async fn dead(redstream: &Redstream, verb: &Dead, output: Output) -> Result<Answer> {
    match verb {
        Dead::List { stream, consumer } => list(redstream, stream.as_deref(), consumer.as_deref(), output).await,
        Dead::Show { consumer, which, limit } => show(redstream, consumer, which, *limit, output).await,
        Dead::Redrive { consumer, which, consent } => {
            let letters = letters(redstream, consumer)?;
            let (chosen, place) = (chosen(&letters, which).await?, place(consumer));
            let impact =
                format!("{place}: {} messages are put back into the stream for it.", count(chosen.len() as u64));
            if chosen.is_empty() || !consent::is_given(*consent, &impact)? {
                return Ok(Answer::No);
            }
            let (mut redriven, mut cut) = (0, 0);
            for id in chosen {
                match letters.redrive(id).await {
                    Ok(was_there) => redriven += u64::from(was_there),
                    Err(Error::PayloadCut { .. }) => cut += 1,
                    Err(error) => return Err(error.into()),
                }
            }
            output.print(&json!({ "place": place, "redriven": redriven, "cut": cut }), |_| {
                let rest = if cut > 0 {
                    format!("; {cut} stay, of which only the beginning was stored")
                } else {
                    String::new()
                };
                format!("{} messages of {place} are back in the stream{rest}", count(redriven))
            })?;
            Ok(if cut > 0 { Answer::No } else { Answer::Yes })
        }
        Dead::Discard { consumer, which, consent } => {
            let letters = letters(redstream, consumer)?;
            let (chosen, place) = (chosen(&letters, which).await?, place(consumer));
            let impact = format!(
                "{place}: {} dead letters are dropped; their changes never reach what it feeds.",
                count(chosen.len() as u64)
            );
            if chosen.is_empty() || !consent::is_given(*consent, &impact)? {
                return Ok(Answer::No);
            }
            let mut discarded = 0;
            for id in chosen {
                discarded += u64::from(letters.discard(id).await?);
            }
            output.print(&json!({ "place": place, "discarded": discarded }), |_| {
                format!("{} dead letters of {place} are dropped", count(discarded))
            })?;
            Ok(Answer::Yes)
        }
    }
}

fn place(Consumer { stream, consumer }: &Consumer) -> String {
    format!("{stream}/{consumer}")
}

fn letters(redstream: &Redstream, Consumer { stream, consumer }: &Consumer) -> Result<DeadLetters> {
    Ok(redstream.stream(stream)?.dead_letters(consumer)?)
}

/// Passes each to `visit`, page by page, until that returns false.
async fn each(letters: &DeadLetters, mut visit: impl FnMut(DeadLetter) -> bool) -> Result<()> {
    let mut after = MessageId::MIN;
    loop {
        let page = letters.list(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        for letter in page {
            if !visit(letter) {
                return Ok(());
            }
        }
    }
}

fn is_chosen(letter: &DeadLetter, which: &Which) -> bool {
    (which.id.is_empty() || which.id.contains(&letter.id))
        && which.error.as_ref().is_none_or(|error| *error == letter.fingerprint())
}

/// The ids of those that were asked for and exist.
async fn chosen(letters: &DeadLetters, which: &Which) -> Result<Vec<MessageId>> {
    let mut chosen = Vec::new();
    each(letters, |letter| {
        if is_chosen(&letter, which) {
            chosen.push(letter.id);
        }
        true
    })
    .await?;
    if chosen.is_empty() {
        eprintln!("there is no such dead letter");
    }
    Ok(chosen)
}

/// Those of one consumer that failed in the same way.
#[derive(Debug, Serialize)]
struct Group {
    stream: String,
    consumer: String,
    fingerprint: String,
    count: u64,
    /// The error without what differs from message to message.
    pattern: String,
    /// The id of the first letter of the group.
    first: String,
}

async fn list(redstream: &Redstream, stream: Option<&str>, consumer: Option<&str>, output: Output) -> Result<Answer> {
    let streams = match stream {
        Some(stream) => vec![redstream.stream(stream)?],
        None => redstream.streams().await?,
    };
    let mut groups = Vec::new();
    for stream in streams {
        let consumers = if let Some(consumer) = consumer {
            vec![consumer.to_owned()]
        } else {
            let consumers = stream.overview().await?.consumers;
            consumers.into_iter().filter(|one| one.dead_letters > 0).map(|one| one.name).collect()
        };
        for consumer in consumers {
            let mut found = BTreeMap::<String, Group>::new();
            each(&stream.dead_letters(&consumer)?, |letter| {
                let fingerprint = letter.fingerprint();
                let group = found.entry(fingerprint.clone()).or_insert_with(|| Group {
                    stream: stream.name().to_string(),
                    consumer: consumer.clone(),
                    fingerprint,
                    count: 0,
                    pattern: letter.error_pattern(),
                    first: letter.id.to_string(),
                });
                group.count += 1;
                true
            })
            .await?;
            groups.extend(found.into_values());
        }
    }
    output.print(&groups, |groups| {
        if groups.is_empty() {
            return "no dead letters".to_owned();
        }
        let row = |group: &Group| {
            let Group { stream, consumer, fingerprint, pattern, .. } = group;
            [stream.clone(), consumer.clone(), count(group.count), fingerprint.clone(), pattern.clone()]
        };
        table(["STREAM", "CONSUMER", "COUNT", "FINGERPRINT", "ERROR"], groups.iter().map(row))
    })?;
    Ok(if groups.is_empty() { Answer::Yes } else { Answer::No })
}

async fn show(
    redstream: &Redstream,
    consumer: &Consumer,
    which: &Which,
    limit: usize,
    output: Output,
) -> Result<Answer> {
    let mut shown = Vec::new();
    each(&letters(redstream, consumer)?, |letter| {
        if is_chosen(&letter, which) && shown.len() < limit {
            shown.push(letter);
        }
        shown.len() < limit
    })
    .await?;
    output.print(&shown, |shown| {
        let one = |one: &DeadLetter| {
            let (fingerprint, payload) = (one.fingerprint(), String::from_utf8_lossy(&one.payload));
            format!(
                "{} (message {}, {} attempts, {fingerprint})\n  payload: {payload}\n  error: {}\n",
                one.id, one.message_id, one.attempts, one.error
            )
        };
        if shown.is_empty() { "no such dead letters".to_owned() } else { shown.iter().map(one).collect() }
    })?;
    Ok(if shown.is_empty() { Answer::No } else { Answer::Yes })
}
