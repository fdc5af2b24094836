//! Documents through the sink for Elasticsearch and OpenSearch, to an osmem-server.

use crate::city::streamed;
use crate::cost::Meter;
use crate::place::Place;
use crate::rounds::in_turns;
use crate::row::{Measure, Question, Row};
use crate::socket::http;
use anyhow::{Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use redstream_seaorm::{Changes, Key, Sink as _};
use redstream_servers::{Search, SearchEdition};
use redstream_sinks::elasticsearch::{Elasticsearch, ElasticsearchSink};
use serde::Serialize;
use std::time::Instant;

const fn question(name: &'static str, path: &'static str, yardstick: &'static str) -> Question {
    Question { name, path, yardstick, unit: "documents/s", measure: Measure::Rate, floor: 0.8, aim: 0.9 }
}

/// What a bulk request has, by default.
const BULK: usize = 1000;
/// The sink's query: the answer is as short for both.
const PATH: &str = "/cities/_bulk?filter_path=items.*.status%2Citems.*.error";

#[derive(Clone, Serialize)]
struct City {
    id: i64,
    name: String,
    country: &'static str,
    description: String,
}

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let (bare, four) =
        ("bare bulk requests: text written to a socket, answers not read as JSON", "the same, four at once");
    let mut rows = Vec::new();
    for (batch, question) in [
        (BULK, question("search_batches", "documents in batches of 1000, one bulk request each", bare)),
        (4 * BULK, question("search_parallel", "documents in batches of 4000, four bulk requests at once", four)),
    ] {
        rows.push(row(place, batch, question).await?);
    }
    Ok(rows)
}

async fn row(place: &Place, batch: usize, question: Question) -> Result<Row> {
    let search = tokio::task::spawn_blocking(|| Search::start(SearchEdition::OpenSearch)).await??;
    let port = search.port();
    let count = place.scaled(40_000);
    let cities: Vec<City> = (1..).map(city).take(count).collect();
    let client = Elasticsearch::builder([search.url()]).build()?;
    let sink = ElasticsearchSink::<streamed::Entity>::new(client, "cities");
    let limit = async || {
        empty(port).await?;
        let begun = Instant::now();
        for batch in cities.chunks(batch) {
            stream::iter(batch.chunks(BULK).map(|bulk| write_plainly(port, bulk)))
                .buffer_unordered(4)
                .try_collect::<()>()
                .await?;
        }
        let took = begun.elapsed();
        ensure!(counted(port).await? == count, "not all documents were written");
        Ok(count as f64 / took.as_secs_f64())
    };
    let ours = async || {
        empty(port).await?;
        let batches = cities.chunks(batch).map(|cities| Changes {
            upserts: cities.iter().map(|city| (Key::new(city.id), city.clone())).collect(),
            deletes: Vec::new(),
            respelled: Vec::new(),
            version: 1,
        });
        let batches: Vec<Changes<streamed::Entity, City>> = batches.collect();
        let (meter, begun) = (Meter::start(), Instant::now());
        for batch in batches {
            sink.write(batch).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        }
        let (took, cost) = (begun.elapsed(), meter.per(count));
        ensure!(counted(port).await? == count, "not all documents were written");
        Ok((count as f64 / took.as_secs_f64(), Some(cost)))
    };
    Ok(question.answer(&in_turns(place.rounds(), limit, ours).await?))
}

fn city(id: i64) -> City {
    City {
        id,
        name: format!("City {id}"),
        country: "NO",
        description: format!("The {id}th city of {}", "a country ".repeat(8)),
    }
}

/// The same lines as the sink's, made by hand.
async fn write_plainly(port: u16, cities: &[City]) -> Result<()> {
    let mut body = Vec::with_capacity(256 * cities.len());
    for city in cities {
        let id = city.id;
        let action = format!("{{\"index\":{{\"_id\":\"{id}\",\"version\":1,\"version_type\":\"external_gte\"}}}}\n");
        body.extend_from_slice(action.as_bytes());
        serde_json::to_writer(&mut body, city)?;
        body.push(b'\n');
    }
    let answer = http(port, "POST", PATH, "application/x-ndjson", &body).await?;
    ensure!(answer.starts_with("HTTP/1.1 200") && !answer.contains("\"error\""), "{answer}");
    Ok(())
}

/// A new index, in which only the name can be searched.
async fn empty(port: u16) -> Result<()> {
    http(port, "DELETE", "/cities", "application/json", b"").await?;
    let index = br#"{"settings":{"index":{"gc_deletes":"1d"}},"mappings":{"dynamic":false,"properties":{"name":{"type":"keyword"}}}}"#;
    let answer = http(port, "PUT", "/cities", "application/json", index).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(())
}

async fn counted(port: u16) -> Result<usize> {
    http(port, "POST", "/cities/_refresh", "application/json", b"").await?;
    let answer = http(port, "GET", "/cities/_count?filter_path=count", "application/json", b"").await?;
    Ok(answer.rsplit(':').next().unwrap_or_default().trim_matches(|c: char| !c.is_ascii_digit()).parse()?)
}
