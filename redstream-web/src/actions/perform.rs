//! Each action, as the operation of Redstream that it is.

use std::time::{Duration, SystemTime};

use redstream_core::{Error, Reindexes, Start, Stream};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::letters::{self, Which};
use crate::dead::{Of, letters_of};
use crate::error::Failure;
use crate::state::State;
use crate::task::Task;
use crate::trim;
use crate::verb::Verb;

/// How long a pause waits until no host is at work.
const REST: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfConsumer {
    stream: String,
    consumer: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rewind {
    stream: String,
    consumer: String,
    to: Place,
}

/// Where a consumer continues.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    Earliest,
    Latest,
    /// The id of a message.
    After(String),
    /// Milliseconds since 1970.
    AtMs(u64),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfLetters {
    stream: String,
    consumer: Option<String>,
    of: Option<Of>,
    which: Which,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfStream {
    stream: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfReindex {
    stream: String,
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfTask {
    task: String,
}

/// Performs it. Returns what is to be said about it.
pub(super) async fn perform(state: &State, verb: Verb, user: &str, body: &Value) -> Result<Value, Failure> {
    match verb {
        Verb::Pause => {
            let of: OfConsumer = read(body)?;
            let rests = stream(state, &of.stream)?.pause(&of.consumer, REST).await?;
            Ok(json!({ "paused": true, "rests": rests }))
        }
        Verb::Resume => {
            let of: OfConsumer = read(body)?;
            stream(state, &of.stream)?.resume(&of.consumer).await?;
            Ok(json!({ "paused": false }))
        }
        Verb::Rewind => {
            let of: Rewind = read(body)?;
            let offset = stream(state, &of.stream)?.rewind(&of.consumer, start(&of.to)?).await?;
            Ok(json!({ "offset": offset.to_string() }))
        }
        Verb::Redrive | Verb::Discard => {
            let of: OfLetters = read(body)?;
            let dead = letters_of(state, &of.stream, of.consumer.as_deref(), of.of)?;
            if verb == Verb::Redrive && of.of == Some(Of::Delayer) {
                return Err(Failure::Conflict("what has no payload is no message: it can only be discarded"));
            }
            letters::each(&dead, verb, &of.which).await
        }
        Verb::Forget => {
            let of: OfConsumer = read(body)?;
            stream(state, &of.stream)?.forget(&of.consumer).await?;
            Ok(json!({ "forgotten": true }))
        }
        Verb::Trim => {
            let of: OfStream = read(body)?;
            trim::now(&stream(state, &of.stream)?).await
        }
        Verb::ReindexPause | Verb::ReindexResume | Verb::ReindexAbort | Verb::ReindexForget => {
            let of: OfReindex = read(body)?;
            let reindexes = stream(state, &of.stream)?.reindexes();
            reindex(&reindexes, verb, &of.id).await
        }
        Verb::TaskStart => {
            let of: OfTask = read(body)?;
            task(state, &of.task)?.start(user, &state.shutdown)?;
            Ok(json!({ "started": true }))
        }
        Verb::TaskStop => {
            let of: OfTask = read(body)?;
            task(state, &of.task)?.stop()?;
            Ok(json!({ "stopping": true }))
        }
    }
}

async fn reindex(reindexes: &Reindexes, verb: Verb, id: &str) -> Result<Value, Failure> {
    let state = match verb {
        Verb::ReindexPause => reindexes.pause(id).await?,
        Verb::ReindexResume => reindexes.resume(id).await?,
        Verb::ReindexAbort => reindexes.abort(id).await?,
        _ if reindexes.forget(id).await? => return Ok(json!({ "state": "forgotten" })),
        _ => return Err(Failure::Conflict("the reindex is not finished: abort it first")),
    };
    Ok(json!({ "state": state.to_string() }))
}

fn read<T: DeserializeOwned>(body: &Value) -> Result<T, Failure> {
    T::deserialize(body).map_err(|error| Failure::Unreadable(error.to_string()))
}

fn stream(state: &State, name: &str) -> Result<Stream, Error> {
    state.redstream.stream(name)
}

fn task<'a>(state: &'a State, name: &str) -> Result<&'a Task, Failure> {
    state.tasks.iter().find(|task| task.name() == name).ok_or(Failure::NoSuchTask)
}

fn start(place: &Place) -> Result<Start, Failure> {
    let no_time = || Failure::Unreadable("the time is out of range".to_owned());
    Ok(match place {
        Place::Earliest => Start::Earliest,
        Place::Latest => Start::Latest,
        Place::After(id) => {
            Start::After(id.parse().map_err(|_| Failure::Unreadable(format!("{id:?} is not the id of a message")))?)
        }
        Place::AtMs(ms) => {
            let since = Duration::from_millis(*ms);
            Start::At(SystemTime::UNIX_EPOCH.checked_add(since).ok_or_else(no_time)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_words_ids_and_times() {
        let start = |json| start(&serde_json::from_value::<Place>(json).unwrap());
        assert!(matches!(start(json!("earliest")), Ok(Start::Earliest)));
        assert!(matches!(start(json!("latest")), Ok(Start::Latest)));
        assert!(matches!(start(json!({ "after": "5-1" })), Ok(Start::After(id)) if id.ms == 5));
        let second = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        assert!(matches!(start(json!({ "at_ms": 1000 })), Ok(Start::At(time)) if time == second));
        assert!(matches!(start(json!({ "after": "x" })), Err(Failure::Unreadable(_))));
    }
}
