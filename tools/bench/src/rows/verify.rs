//! A table and an index that are equal are compared, beside plain reads of both.

use crate::city::streamed;
use crate::cost::Meter;
use crate::database::{Backend, Database};
use crate::place::Place;
use crate::rounds::in_turns;
use crate::row::{Measure, Question, Row};
use crate::socket::http;
use anyhow::{Context, Result, ensure};
use redstream_core::{CancellationToken, Start};
use redstream_seaorm::{Changes, Key, RedstreamExt, Sink as _};
use redstream_servers::{Search, SearchEdition};
use redstream_sinks::elasticsearch::{Elasticsearch, ElasticsearchSink};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Value as Json, json};
use std::time::Instant;

const QUESTION: Question = Question {
    name: "verify_pace",
    path: "verify of 200,000 rows, SQLite, with an index of osmem-server",
    yardstick: "both read plainly, side by side, in pages of the same size",
    unit: "rows/s",
    measure: Measure::Rate,
    floor: 0.4,
    aim: 0.5,
};

/// The default of a verification.
const PAGE: usize = 1000;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let search = tokio::task::spawn_blocking(|| Search::start(SearchEdition::OpenSearch)).await??;
    let port = search.port();
    let redstream = place.fresh().await?;
    let database = Database::new(place, Backend::Sqlite, &redstream).await?;
    let count = place.scaled(200_000);
    database.fill(count).await?;
    let mapping = json!({ "mappings": { "dynamic": false, "properties": { "id": { "type": "long" } } } });
    let client = Elasticsearch::builder([search.url()]).build()?;
    let sink = ElasticsearchSink::<streamed::Entity>::new(client, "cities").create_index(mapping);
    let mut after = None;
    loop {
        let page = page_of_rows(&database, after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        let upserts = page.into_iter().map(|row| (Key::of(&row), document(&row))).collect();
        let changes = Changes { upserts, deletes: Vec::new(), respelled: Vec::new(), version: 1 };
        sink.write(changes).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    }
    redstream.stream("cities")?.register("search", Start::Latest).await?;

    let limit = async || {
        let begun = Instant::now();
        let (rows, documents) = tokio::try_join!(read_rows(&database), read_documents(port))?;
        ensure!((rows, documents) == (count, count), "not all were read: {rows} and {documents}");
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    };
    let ours = async || {
        let as_documents = async |db: sea_orm::DatabaseConnection, keys: Vec<Key<streamed::Entity>>| {
            let rows = redstream_seaorm::find_by_keys(streamed::Entity, &keys, &db).await?;
            Ok(rows.into_iter().map(|row| (Key::of(&row), document(&row))).collect())
        };
        let (meter, begun) = (Meter::start(), Instant::now());
        let verify = redstream.verify_with_loader::<streamed::Entity, _, _, _>(&database.plain, as_documents, &sink);
        let report = verify.run(CancellationToken::new()).await?;
        let (took, cost) = (begun.elapsed(), meter.per(count));
        ensure!(report.is_clean() && report.compared == count as u64, "it is not clean: {report:?}");
        Ok((count as f64 / took.as_secs_f64(), Some(cost)))
    };
    Ok(vec![QUESTION.answer(&in_turns(place.rounds(), limit, ours).await?)])
}

fn document(row: &streamed::Model) -> Json {
    json!({ "id": row.id, "name": row.name })
}

async fn page_of_rows(database: &Database, after: Option<i64>) -> Result<Vec<streamed::Model>> {
    let mut rows = streamed::Entity::find().order_by_asc(streamed::Column::Id).limit(PAGE as u64);
    if let Some(after) = after {
        rows = rows.filter(streamed::Column::Id.gt(after));
    }
    Ok(rows.all(&database.plain).await?)
}

async fn read_rows(database: &Database) -> Result<usize> {
    let (mut count, mut after) = (0, None);
    loop {
        let page = page_of_rows(database, after).await?;
        count += page.len();
        let Some(last) = page.last() else { return Ok(count) };
        after = Some(last.id);
    }
}

async fn read_documents(port: u16) -> Result<usize> {
    let (mut count, mut after) = (0, None::<Json>);
    loop {
        let mut search = json!({ "size": PAGE, "sort": [{ "id": "asc" }], "track_total_hits": false });
        if let Some(after) = after.take() {
            search["search_after"] = after;
        }
        let answer = http(port, "POST", "/cities/_search", "application/json", search.to_string().as_bytes()).await?;
        let (_, body) = answer.split_once("\r\n\r\n").context("an answer has a body")?;
        let mut found: Json = serde_json::from_str(body)?;
        let hits = found["hits"]["hits"].as_array_mut().context("an answer has hits")?;
        count += hits.len();
        let Some(mut last) = hits.pop() else { return Ok(count) };
        after = Some(last["sort"].take());
    }
}
