//! `redstream status`: what there is.

use anyhow::Result;
use redstream_core::{ConsumerOverview, Holder, Overview, Redstream, StreamOverview, Unreadable};
use serde::Serialize;

use crate::Answer;
use crate::output::{Output, bytes, count, maybe, table};

pub(crate) async fn status(redstream: &Redstream, streams: &[String], output: Output) -> Result<Answer> {
    if streams.is_empty() {
        let overview = redstream.overview().await?;
        output.print(&overview, whole)?;
        return Ok(if overview.unreadable.is_empty() { Answer::Yes } else { Answer::No });
    }
    let mut seen = Named { streams: Vec::new() };
    for name in streams {
        seen.streams.push(redstream.stream(name)?.overview().await?);
    }
    output.print(&seen, |seen| tables(&seen.streams))?;
    Ok(Answer::Yes)
}

/// As the field of the same name in the whole.
#[derive(Debug, Serialize)]
struct Named {
    streams: Vec<StreamOverview>,
}

fn whole(overview: &Overview) -> String {
    let servers = overview.servers.iter().map(|server| {
        let memory = match (server.used_memory, server.max_memory) {
            (Some(used), Some(limit)) if limit > 0 => format!("{} of {}", bytes(used), bytes(limit)),
            (Some(used), _) => bytes(used),
            (None, _) => "?".to_owned(),
        };
        let name = [server.name.as_deref(), server.version.as_deref()].into_iter().flatten().collect::<Vec<_>>();
        [server.address.clone(), name.join(" "), memory, server.clients.map(count).unwrap_or_default()]
    });
    let mut text = table(["SERVER", "VERSION", "MEMORY", "CLIENTS"], servers);
    let unreadable = |one: &Unreadable| format!("\n{}: could not be read: {}\n", one.name, one.error);
    text.extend(overview.unreadable.iter().map(unreadable));
    if overview.streams.is_empty() && overview.unreadable.is_empty() {
        let namespace = overview.namespace.as_deref();
        let place =
            namespace.map_or_else(|| "without a namespace".to_owned(), |name| format!("in the namespace {name}"));
        return text + &format!("\nThere is no stream {place}. Others are found by --namespace.\n");
    }
    text + "\n" + &tables(&overview.streams)
}

fn tables(streams: &[StreamOverview]) -> String {
    let rows = streams.iter().map(|stream| {
        let delay =
            stream.delayer.delay.map_or_else(String::new, |delay| format!(" by {}", crate::output::duration(delay)));
        [
            stream.name.to_string(),
            count(stream.entries),
            maybe(stream.oldest),
            format!("{}{delay}", count(stream.delayer.entries)),
            runs(stream.delayer.runs, stream.delayer.holder.as_ref()),
            runs(stream.trimmer_runs, stream.trimmer_holder.as_ref()),
            stream.bytes.map_or_else(|| "?".to_owned(), bytes),
        ]
    });
    let mut text = table(["STREAM", "ENTRIES", "OLDEST", "DELAYED", "DELAYER", "TRIMMER", "MEMORY"], rows);
    let consumers = streams.iter().flat_map(|stream| stream.consumers.iter().map(move |one| (stream, one)));
    let rows = consumers.map(|(stream, consumer)| {
        [
            stream.name.to_string(),
            consumer.name.clone(),
            lag(consumer),
            maybe(consumer.behind),
            consumer.state.to_string(),
            consumer.holder.as_ref().map_or_else(|| "-".to_owned(), Holder::to_string),
            count(consumer.dead_letters),
            consumer.offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string()),
            consumer.identity.clone().unwrap_or_default(),
        ]
    });
    text += "\n";
    text += &table(["STREAM", "CONSUMER", "LAG", "BEHIND", "STATE", "HELD BY", "DEAD", "OFFSET", "RUN BY"], rows);
    let reindexes = streams.iter().flat_map(|stream| stream.reindexes.iter().map(move |one| (stream, one)));
    let rows: Vec<_> = reindexes.map(|(stream, record)| crate::reindex::row(stream.name.as_str(), record)).collect();
    if !rows.is_empty() {
        text += "\n";
        text += &table(crate::reindex::HEADS, rows);
    }
    text
}

fn lag(consumer: &ConsumerOverview) -> String {
    count(consumer.lag) + if consumer.lag_is_more { "+" } else { "" }
}

/// The process that runs it, as far as it is known.
fn runs(runs: bool, holder: Option<&Holder>) -> String {
    match (runs, holder) {
        (false, _) => "none".to_owned(),
        (true, None) => "runs".to_owned(),
        (true, Some(holder)) => holder.to_string(),
    }
}
