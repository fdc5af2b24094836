//! From an empty index to a proven one, on a search server: rows that were there before, an index that is filled and
//! then follows, a verification that mends what went wrong, and a second index that takes over while searches go on.
//!
//! Needs a Redis and an OpenSearch or Elasticsearch: `REDIS_URL` and `SEARCH_URL`, or those on this machine.
//!
//! ```sh
//! cargo run -p redstream-examples --example search_server
//! ```

use std::time::Duration;

use anyhow::{Context as _, ensure};
use redstream_seaorm::{
    CancellationToken, ConnectOptions, HandlerError, Key, Redstream, RedstreamExt as _, Rows, StreamedConnection,
    TokenExt as _, find_by_keys,
};
use redstream_sinks::elasticsearch::{Elasticsearch, ElasticsearchSink};
use sea_orm::{ActiveValue::Set, Database, Schema, TransactionTrait as _, entity::prelude::*};
use serde_json::{Value as Json, json};

mod city {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed, serde::Serialize)]
    #[sea_orm(table_name = "cities")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) name: String,
        pub(crate) country: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

/// How long the index may take to follow.
const SOON: Duration = Duration::from_secs(10);

/// Short, so that the program does not wait for its delay messages. Applications leave it at five minutes.
const DELAY: Duration = Duration::from_secs(1);

/// The first index has the rows as they are.
fn first(client: &Elasticsearch) -> ElasticsearchSink<city::Entity> {
    ElasticsearchSink::new(client.clone(), "cities-1").create_index(json!({ "mappings": { "properties": {
        "id": { "type": "long" }, "name": { "type": "text" }, "country": { "type": "keyword" },
    } } }))
}

/// The second one can be searched by a label, too.
fn second(client: &Elasticsearch) -> ElasticsearchSink<city::Entity> {
    ElasticsearchSink::new(client.clone(), "cities-2").create_index(json!({ "mappings": { "properties": {
        "id": { "type": "long" }, "name": { "type": "text" }, "label": { "type": "keyword" },
    } } }))
}

/// The documents of the second index.
async fn labelled(
    db: StreamedConnection,
    keys: Vec<Key<city::Entity>>,
) -> Result<Vec<(Key<city::Entity>, Json)>, HandlerError> {
    let cities = find_by_keys(city::Entity, &keys, &db).await?;
    let document = |city: city::Model| {
        let label = format!("{}, {}", city.name, city.country);
        (Key::of(&city), json!({ "id": city.id, "name": city.name, "label": label }))
    };
    Ok(cities.into_iter().map(document).collect())
}

/// How many cities a search by the alias finds.
async fn found(client: &Elasticsearch, query: Json) -> anyhow::Result<u64> {
    client.send_json("POST", &["cities", "_refresh"], None).await?;
    let answer = client.send_json("POST", &["cities", "_count"], Some(&json!({ "query": query }))).await?;
    answer["count"].as_u64().context("no count in the answer")
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter("warn,redstream=info").init();
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    story(&setting("REDIS_URL", "redis://127.0.0.1/"), &setting("SEARCH_URL", "http://127.0.0.1:9200")).await
}

async fn story(redis_url: &str, search_url: &str) -> anyhow::Result<()> {
    let redstream = Redstream::connect(ConnectOptions::new(redis_url).namespace("redstream-search-server")).await?;
    let client = Elasticsearch::builder([search_url]).build()?;
    let folder = tempfile::tempdir()?;
    let database =
        Database::connect(format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display())).await?;
    database.execute(&Schema::new(database.get_database_backend()).create_table_from_entity(city::Entity)).await?;
    // They were there before anything followed the table, so nothing announces them.
    let old = [city("Oslo", "NO"), city("Bergen", "NO"), city("Ulm", "DE")];
    city::Entity::insert_many(old).exec(&database).await?;

    // 1. The workers, as in an application's `main`, and an alias for searches, behind which the index is filled.
    let db = StreamedConnection::new(database, redstream.producer());
    let workers = redstream.workers(&db).index("search-1", Rows, first(&client)).delay(DELAY).start()?;
    let swap = redstream.swap::<city::Entity>(&db, first(&client).behind("cities"), "search-1");
    let report = swap.on_progress(|progress| println!("fill: {progress}")).run(CancellationToken::new()).await?;
    ensure!(report.is_switched, "{report:?}");
    println!("{} of 3 cities are found", found(&client, json!({ "match_all": {} })).await?);

    // 2. From now on it follows.
    let txn = db.begin().await?;
    city("Trier", "DE").insert(&txn).await?;
    let written = txn.commit_with_token().await?;
    redstream.wait_until_synced("search-1", &written.of::<city::Entity>(), SOON).await?;
    ensure!(found(&client, json!({ "match": { "name": "trier" } })).await? == 1);

    // 3. A hand that is not ours removes a document. A verification finds and mends it.
    client.send_json("DELETE", &["cities-1", "_doc", "1"], None).await?;
    let index = first(&client);
    let verify = || redstream.verify::<city::Entity>(&db, &index).consumer("search-1");
    let report = verify().repair(true).run(CancellationToken::new()).await?;
    println!("verify: {report}");
    ensure!((report.missing, report.repaired) == (1, 1), "{report:?}");

    // 4. A second index takes over. In production this is a deployment: the new program names `search-2`.
    let new = second(&client);
    let new_workers = redstream.workers(&db).index("search-2", labelled, new.clone()).delay(DELAY).start()?;
    let report = redstream
        .swap::<city::Entity>(&db, new.behind("cities"), "search-2")
        .replaces("search-1")
        .verify(redstream.verify_with_loader(&db, labelled, &new))
        .on_progress(|progress| println!("swap: {progress}"))
        .run(CancellationToken::new())
        .await?;
    ensure!(report.is_switched, "{report:?}");
    ensure!(found(&client, json!({ "term": { "label": "Bergen, NO" } })).await? == 1);

    // 5. The old workers are stopped, and their consumer is forgotten by another run.
    workers.shutdown().await?;
    let swap = redstream.swap::<city::Entity>(&db, new.behind("cities"), "search-2").replaces("search-1");
    ensure!(swap.run(CancellationToken::new()).await?.is_retired);

    let report = redstream.verify_with_loader(&db, labelled, &new).run(CancellationToken::new()).await?;
    println!("verify: {report}");
    ensure!(report.is_clean() && report.compared == 4, "{report:?}");
    new_workers.shutdown().await?;
    Ok(())
}

fn city(name: &str, country: &str) -> city::ActiveModel {
    city::ActiveModel { name: Set(name.to_owned()), country: Set(country.to_owned()), ..Default::default() }
}

#[cfg(test)]
#[tokio::test]
async fn an_index_is_filled_followed_mended_and_replaced() -> anyhow::Result<()> {
    use redstream_servers::{REDIS_URL, Search, SearchEdition, shared_url};

    let server = tokio::task::spawn_blocking(|| Search::start(SearchEdition::OpenSearch)).await??;
    story(&shared_url(REDIS_URL)?, &server.url()).await
}
