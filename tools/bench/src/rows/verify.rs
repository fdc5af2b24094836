//! A table and an index that are equal are compared, beside plain reads of both.

use crate::city::streamed;
use crate::cost::{Meter, peak};
use crate::database::{Backend, Database};
use crate::index::{Tantivy, batch};
use crate::place::Place;
use crate::rounds::{Rounds, in_turns};
use crate::row::{Measure, Question, Row};
use crate::socket::http;
use anyhow::{Context, Result, ensure};
use redstream_core::{CancellationToken, Redstream, Start};
use redstream_seaorm::{RedstreamExt, Scan, Sink};
use redstream_servers::{Search, SearchEdition};
use redstream_sinks::elasticsearch::{Elasticsearch, ElasticsearchSink};
use serde_json::{Value as Json, json};
use std::time::Instant;
use tantivy::TantivyDocument;

const fn question(name: &'static str, path: &'static str, yardstick: &'static str) -> Question {
    Question { name, path, yardstick, unit: "rows/s", measure: Measure::Rate, floor: 0.5, aim: 0.8 }
}

const SERVER: Question = question(
    "verify_server",
    "verify of 100,000 rows, SQLite, with an index of osmem-server",
    "both read plainly, side by side, in pages of the same size",
);

const EMBEDDED: Question = question(
    "verify_embedded",
    "verify of 1,000,000 rows, SQLite, with an index of tantivy",
    "both read plainly, side by side: rows in pages of the same size, stored documents in any order",
);

const MEMORY: Question = Question {
    name: "verify_memory",
    path: "verify of 1,000,000 rows, SQLite, tantivy: memory in use at most",
    yardstick: "the same with 100,000 rows",
    unit: "MB",
    measure: Measure::Price,
    floor: 1.5,
    aim: 1.1,
};

/// The default of a verification.
const PAGE: usize = 1000;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let redstream = place.fresh().await?;
    let count = place.scaled(1_000_000);
    let (table, small) = (table(place, &redstream, count).await?, table(place, &redstream, count / 10).await?);
    redstream.stream("cities")?.register("search", Start::Latest).await?;
    Ok(vec![
        // Each page takes this server a time that grows with the index: with a million documents, half a second.
        server(place, &redstream, &small, count / 10).await?,
        embedded(place, &redstream, &table, count).await?,
        memory(place, &redstream, [(&table, count), (&small, count / 10)]).await?,
    ])
}

async fn server(place: &Place, redstream: &Redstream, table: &Database, count: usize) -> Result<Row> {
    let search = tokio::task::spawn_blocking(|| Search::start(SearchEdition::OpenSearch)).await??;
    let port = search.port();
    let mapping = json!({ "mappings": { "dynamic": false, "properties": { "id": { "type": "long" } } } });
    let client = Elasticsearch::builder([search.url()]).build()?;
    let sink = ElasticsearchSink::<streamed::Entity>::new(client, "cities").create_index(mapping);
    fill(table, &sink).await?;
    let limit = async || {
        let begun = Instant::now();
        let (rows, documents) = tokio::try_join!(table.read(PAGE), read_server(port))?;
        ensure!((rows, documents) == (count, count), "not all were read: {rows} and {documents}");
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    };
    Ok(SERVER.answer(&in_turns(place.few_rounds(), limit, async || timed(redstream, table, &sink, count).await).await?))
}

async fn embedded(place: &Place, redstream: &Redstream, table: &Database, count: usize) -> Result<Row> {
    let index = Tantivy::new()?;
    fill(table, &index.sink).await?;
    let limit = async || {
        let searcher = index.sink.reader().searcher();
        let begun = Instant::now();
        let documents = async { tokio::task::spawn_blocking(move || read_folder(&searcher)).await? };
        let (rows, documents) = tokio::try_join!(table.read(PAGE), documents)?;
        ensure!((rows, documents) == (count, count), "not all were read: {rows} and {documents}");
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    };
    let ours = async || timed(redstream, table, &index.sink, count).await;
    Ok(EMBEDDED.answer(&in_turns(place.few_rounds(), limit, ours).await?))
}

async fn memory(place: &Place, redstream: &Redstream, tables: [(&Database, usize); 2]) -> Result<Row> {
    let mut indices = Vec::new();
    for (table, _) in tables {
        let index = Tantivy::new()?;
        fill(table, &index.sink).await?;
        indices.push(index);
    }
    let mut rounds = Rounds::default();
    for _ in 0..place.few_rounds() {
        let mut megabytes = Vec::new();
        for ((table, count), index) in tables.iter().zip(&indices) {
            let (verified, bytes) = peak(verify(redstream, table, &index.sink, *count)).await;
            verified?;
            megabytes.push(bytes / 1e6);
        }
        rounds.add(megabytes[0], megabytes[1], None);
    }
    Ok(MEMORY.answer(&rounds))
}

/// A table with so many rows.
async fn table(place: &Place, redstream: &Redstream, count: usize) -> Result<Database> {
    let database = Database::new(place, Backend::Sqlite, redstream).await?;
    database.fill(count).await?;
    Ok(database)
}

/// Writes all rows to the sink.
async fn fill(table: &Database, sink: &impl Sink<streamed::Entity>) -> Result<()> {
    let mut after = None;
    for version in 1.. {
        let page = table.page(after, 10 * PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        sink.write(batch(page, version)).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    }
    Ok(())
}

async fn timed(
    redstream: &Redstream,
    table: &Database,
    sink: &impl Scan<streamed::Entity>,
    count: usize,
) -> Result<(f64, Option<crate::cost::Cost>)> {
    let (meter, begun) = (Meter::start(), Instant::now());
    verify(redstream, table, sink, count).await?;
    Ok((count as f64 / begun.elapsed().as_secs_f64(), Some(meter.per(count))))
}

async fn verify(
    redstream: &Redstream,
    table: &Database,
    sink: &impl Scan<streamed::Entity>,
    count: usize,
) -> Result<()> {
    let report = redstream.verify::<streamed::Entity>(&table.plain, sink).run(CancellationToken::new()).await?;
    ensure!(report.is_clean() && report.compared == count as u64, "it is not clean: {report:?}");
    Ok(())
}

/// Reads all documents of a server, in the order of their ids.
async fn read_server(port: u16) -> Result<usize> {
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

/// Reads all stored documents of a folder.
fn read_folder(searcher: &tantivy::Searcher) -> Result<usize> {
    let mut count = 0;
    for segment in searcher.segment_readers() {
        for document in segment.get_store_reader(1)?.iter::<TantivyDocument>(segment.alive_bitset()) {
            std::hint::black_box(document?);
            count += 1;
        }
    }
    Ok(count)
}
