//! Dead letters: their groups by kind of error, and the letters page by page.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{self, Query};
use redstream_core::{DeadLetter, DeadLetters, MessageId};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use crate::error::Failure;
use crate::state::State;

/// How many are read per call: each may have 1 MiB.
pub(crate) const PAGE: usize = 16;

/// How many are looked at by one request.
const MOST: usize = 5000;

/// How long a request may look at letters before it answers with what it has.
const LOOK: Duration = Duration::from_secs(5);

/// How long a request may take.
const BOUND: Duration = Duration::from_secs(20);

/// The longest payload that is sent, in bytes.
const LONGEST: usize = 16 * 1024;

#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    stream: String,
    consumer: Option<String>,
    of: Option<Of>,
    /// Only letters with this kind of error.
    fingerprint: Option<String>,
    /// Only letters after this one.
    after: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Page {
    letters: Vec<DeadLetter>,
    /// After which letter to continue; `None` if there are no more.
    next: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Groups {
    groups: Vec<Group>,
    /// Whether every letter was looked at.
    is_all: bool,
}

/// Letters that failed in the same way.
#[derive(Debug, Serialize)]
struct Group {
    fingerprint: String,
    count: u64,
    /// The error without what differs from message to message.
    pattern: String,
}

/// `dead`: some letters.
pub(crate) async fn letters(
    extract::State(state): extract::State<Arc<State>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Page>, Failure> {
    let (letters, wanted) = of(&state, wanted)?;
    let mut after = parse(wanted.after.as_deref())?;
    let is_wanted = |letter: &DeadLetter| wanted.fingerprint.as_ref().is_none_or(|one| *one == letter.fingerprint());
    let (begun, mut page, mut seen) = (Instant::now(), Page { letters: Vec::new(), next: None }, 0);
    let read = async {
        while page.letters.len() < PAGE && seen < MOST && begun.elapsed() < LOOK {
            let found = letters.list(after, PAGE).await?;
            let Some(last) = found.last() else { return Ok(page) };
            (after, seen) = (last.id, seen + found.len());
            page.letters.extend(found.into_iter().filter(is_wanted).map(shown));
        }
        page.next = Some(after.to_string());
        Ok(page)
    };
    timeout(BOUND, read).await.map_err(|_| Failure::TimedOut(BOUND.as_secs()))?.map(Json)
}

/// `dead-groups`: all kinds of errors.
pub(crate) async fn groups(
    extract::State(state): extract::State<Arc<State>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Groups>, Failure> {
    let (letters, _) = of(&state, wanted)?;
    let (begun, mut after, mut seen) = (Instant::now(), MessageId::MIN, 0);
    let mut found = BTreeMap::<String, Group>::new();
    let read = async {
        while seen < MOST && begun.elapsed() < LOOK {
            let page = letters.list(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok((found, true)) };
            (after, seen) = (last.id, seen + page.len());
            for letter in page {
                let fingerprint = letter.fingerprint();
                let fresh = || Group { fingerprint: fingerprint.clone(), count: 0, pattern: letter.error_pattern() };
                found.entry(fingerprint.clone()).or_insert_with(fresh).count += 1;
            }
        }
        Ok::<_, Failure>((found, false))
    };
    let (found, is_all) = timeout(BOUND, read).await.map_err(|_| Failure::TimedOut(BOUND.as_secs()))??;
    let mut groups: Vec<_> = found.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    Ok(Json(Groups { groups, is_all }))
}

/// Whose letters, if not a consumer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Of {
    Delayer,
}

/// The letters of a consumer, or of the delayer.
pub(crate) fn letters_of(
    state: &State,
    stream: &str,
    consumer: Option<&str>,
    of: Option<Of>,
) -> Result<DeadLetters, Failure> {
    let stream = state.redstream.stream(stream)?;
    match (consumer, of) {
        (Some(consumer), None) => Ok(stream.dead_letters(consumer)?),
        (None, Some(Of::Delayer)) => Ok(stream.delayer_dead_letters()),
        _ => Err(Failure::Unreadable("either `consumer` or `of=delayer` says whose dead letters".to_owned())),
    }
}

fn of(state: &State, wanted: Result<Query<Wanted>, QueryRejection>) -> Result<(DeadLetters, Wanted), Failure> {
    let Query(wanted) = wanted.map_err(|error| Failure::Unreadable(error.body_text()))?;
    Ok((letters_of(state, &wanted.stream, wanted.consumer.as_deref(), wanted.of)?, wanted))
}

fn parse(id: Option<&str>) -> Result<MessageId, Failure> {
    let id = id.map(|id| id.parse().map_err(|_| Failure::Unreadable("`after` is not an id".to_owned())));
    Ok(id.transpose()?.unwrap_or(MessageId::MIN))
}

/// With its payload, or the beginning if that is long.
fn shown(mut letter: DeadLetter) -> DeadLetter {
    if letter.payload.len() > LONGEST {
        // Not within a character.
        let is_within = |at: usize| letter.payload[at] & 0b1100_0000 == 0b1000_0000;
        let end = (LONGEST - 3..=LONGEST).rev().find(|at| !is_within(*at)).unwrap_or(LONGEST);
        letter.payload.truncate(end);
    }
    letter
}
