//! Redrives or discards dead letters: those that were named, or all of one kind.

use std::time::Duration;

use redstream_core::{DeadLetters, Error, MessageId};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::dead::PAGE;
use crate::error::Failure;
use crate::verb::Verb;

/// After this time no more letters are begun with.
const BOUND: Duration = Duration::from_secs(20);

/// Which dead letters: said in each request, so that a forgotten field does not mean all.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Which {
    All,
    /// Those with this kind of error.
    Fingerprint(String),
    /// Those with these ids.
    Ids(Vec<String>),
}

/// What was done so far.
#[derive(Debug, Default)]
struct Count {
    done: u64,
    /// Not redriven, since only the beginning of the payload was stored.
    cut: u64,
}

/// Redrives or discards them. Letters that are added meanwhile are not included.
pub(super) async fn each(letters: &DeadLetters, verb: Verb, which: &Which) -> Result<Value, Failure> {
    let (mut count, begun) = (Count::default(), Instant::now());
    let is_complete = match which {
        Which::Ids(ids) => named(letters, verb, ids, &mut count, begun).await?,
        Which::All => matching(letters, verb, None, &mut count, begun).await?,
        Which::Fingerprint(one) => matching(letters, verb, Some(one), &mut count, begun).await?,
    };
    Ok(json!({ "done": count.done, "cut": count.cut, "is_complete": is_complete }))
}

async fn named(
    letters: &DeadLetters,
    verb: Verb,
    ids: &[String],
    count: &mut Count,
    begun: Instant,
) -> Result<bool, Failure> {
    let parse = |id: &String| id.parse().map_err(|_| Failure::Unreadable(format!("{id:?} is not the id of a letter")));
    let ids: Vec<MessageId> = ids.iter().map(parse).collect::<Result<_, _>>()?;
    for id in ids {
        if begun.elapsed() > BOUND {
            return Ok(false);
        }
        one(letters, verb, id, count).await?;
    }
    Ok(true)
}

async fn matching(
    letters: &DeadLetters,
    verb: Verb,
    fingerprint: Option<&String>,
    count: &mut Count,
    begun: Instant,
) -> Result<bool, Failure> {
    let (mut left, mut after) = (letters.count().await?, MessageId::MIN);
    while left > 0 {
        let page = letters.list(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        left = left.saturating_sub(page.len() as u64);
        for letter in page {
            if begun.elapsed() > BOUND {
                return Ok(false);
            }
            if fingerprint.is_none_or(|wanted| *wanted == letter.fingerprint()) {
                one(letters, verb, letter.id, count).await?;
            }
        }
    }
    Ok(true)
}

async fn one(letters: &DeadLetters, verb: Verb, id: MessageId, count: &mut Count) -> Result<(), Failure> {
    if verb == Verb::Discard {
        count.done += u64::from(letters.discard(id).await?);
        return Ok(());
    }
    match letters.redrive(id).await {
        Ok(was_there) => count.done += u64::from(was_there),
        Err(Error::PayloadCut { .. }) => count.cut += 1,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
