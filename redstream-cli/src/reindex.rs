//! `redstream reindex`: the records of reindexes, and the verbs on them.

use std::fmt::Display;

use anyhow::Result;
use redstream_core::{Redstream, ReindexRecord, Reindexes};
use serde::Serialize;
use serde_json::json;

use crate::Answer;
use crate::arguments::{Reindex, ReindexOf};
use crate::consent;
use crate::output::{Output, count, table};

pub(crate) const HEADS: [&str; 6] = ["STREAM", "REINDEX", "OF", "STATE", "QUEUED", "DEAD"];

pub(crate) fn row(stream: &str, record: &ReindexRecord) -> [String; 6] {
    let of =
        if record.filter.is_empty() { record.entity.clone() } else { format!("{} {}", record.entity, record.filter) };
    let queued = format!("{} of {}", count(record.queued), count(record.estimate));
    [stream.to_owned(), record.id.clone(), of, record.state.to_string(), queued, count(record.dead_letters)]
}

#[derive(Debug, Serialize)]
struct Listed {
    stream: String,
    id: String,
    #[serde(flatten)]
    record: ReindexRecord,
}

pub(crate) async fn reindex(redstream: &Redstream, verb: &Reindex, output: Output) -> Result<Answer> {
    let of = |of: &ReindexOf| anyhow::Ok(redstream.stream(&of.stream)?.reindexes());
    match verb {
        Reindex::List { stream } => list(redstream, stream.as_deref(), output).await,
        Reindex::Pause(one) => told(one, of(one)?.pause(&one.id).await?, output),
        Reindex::Resume(one) => told(one, of(one)?.resume(&one.id).await?, output),
        Reindex::Abort { of: one, consent } => {
            let impact = format!("{}/{}: keys that are not queued yet are not queued.", one.stream, one.id);
            if !consent::is_given(*consent, &impact)? {
                return Ok(Answer::No);
            }
            told(one, of(one)?.abort(&one.id).await?, output)
        }
        Reindex::Forget(one) => {
            let reindexes: Reindexes = of(one)?;
            if reindexes.forget(&one.id).await? {
                return told(one, "forgotten", output);
            }
            told(one, "not finished: abort it first", output)?;
            Ok(Answer::No)
        }
    }
}

async fn list(redstream: &Redstream, stream: Option<&str>, output: Output) -> Result<Answer> {
    let streams = match stream {
        Some(stream) => vec![redstream.stream(stream)?],
        None => redstream.streams().await?,
    };
    let mut listed = Vec::new();
    for stream in streams {
        let records = stream.reindexes().list().await?;
        let name = stream.name().to_string();
        listed.extend(records.into_iter().map(|record| Listed { stream: name.clone(), id: record.id.clone(), record }));
    }
    output.print(&listed, |listed| table(HEADS, listed.iter().map(|one| row(&one.stream, &one.record))))?;
    Ok(Answer::Yes)
}

fn told(of: &ReindexOf, state: impl Display, output: Output) -> Result<Answer> {
    let ReindexOf { stream, id } = of;
    output.print(&json!({ "stream": stream, "id": id, "state": state.to_string() }), |_| {
        format!("{stream}/{id}: {state}")
    })?;
    Ok(Answer::Yes)
}
