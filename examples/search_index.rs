//! A search index that follows a database: tantivy, embedded, on disk.
//!
//! Needs a Redis: the first argument, or `REDIS_URL`, or the one on this machine.
//!
//! ```sh
//! cargo run -p redstream-examples --example search_index
//! ```

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use redstream_seaorm::{
    CancellationToken, Changes, ConnectOptions, HandlerError, Indexer, Redstream, RedstreamExt as _, Sink, Streamed,
    StreamedConnection, Supervisor,
};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait as _, Database, IntoActiveModel as _, ModelTrait as _, Schema,
    TransactionTrait as _, entity::prelude::*,
};
use tantivy::collector::TopDocs;
use tantivy::query::QueryParser;
use tantivy::schema::{FAST, Field, INDEXED, STORED, TEXT, Value as _};
use tantivy::{Index, IndexWriter, TantivyDocument, Term, doc};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "cities")]
struct Model {
    #[sea_orm(primary_key)]
    id: i64,
    name: String,
    country: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
enum Relation {}

/// The index. This process is the only one that writes it, so it needs no versions; the demo's has
/// versions and tombstones, since there two processes take turns.
#[derive(Clone)]
struct Cities {
    index: Index,
    writer: Arc<Mutex<IndexWriter>>,
    id: Field,
    name: Field,
    country: Field,
}

impl Cities {
    fn create(folder: &std::path::Path) -> tantivy::Result<Self> {
        let mut schema = tantivy::schema::Schema::builder();
        let id = schema.add_i64_field("id", INDEXED | FAST);
        let name = schema.add_text_field("name", TEXT | STORED);
        let country = schema.add_text_field("country", TEXT | STORED);
        let index = Index::create_in_dir(folder, schema.build())?;
        let writer = index.writer_with_num_threads(1, 15_000_000)?;
        Ok(Self { index, writer: Arc::new(Mutex::new(writer)), id, name, country })
    }

    /// On disk when it returns: only then is the batch committed.
    fn write(&self, changes: &Changes<Entity>) -> tantivy::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &changes.deletes {
            writer.delete_term(Term::from_field_i64(self.id, key.value()));
        }
        for (_, city) in &changes.upserts {
            writer.delete_term(Term::from_field_i64(self.id, city.id));
            let country = city.country.as_str();
            writer.add_document(doc!(self.id => city.id, self.name => city.name.as_str(), self.country => country))?;
        }
        writer.commit()?;
        Ok(())
    }

    /// The names that a search finds, in alphabetical order.
    fn search(&self, words: &str) -> anyhow::Result<Vec<String>> {
        let searcher = self.index.reader()?.searcher();
        let query = QueryParser::for_index(&self.index, vec![self.name, self.country]).parse_query(words)?;
        let mut names = Vec::new();
        for (_, address) in searcher.search(&query, &TopDocs::with_limit(10).order_by_score())? {
            let document: TantivyDocument = searcher.doc(address)?;
            names.extend(document.get_first(self.name).and_then(|name| name.as_str()).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }
}

impl Sink<Entity> for Cities {
    async fn write(&self, changes: Changes<Entity>) -> Result<(), HandlerError> {
        let index = self.clone();
        tokio::task::spawn_blocking(move || Cities::write(&index, &changes)).await??;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    story(&url.unwrap_or_else(|| "redis://127.0.0.1/".to_owned())).await
}

async fn story(redis: &str) -> anyhow::Result<()> {
    let redstream = Redstream::connect(ConnectOptions::new(redis).namespace("redstream-search-index")).await?;
    let folder = tempfile::tempdir()?;
    let sqlite = Database::connect(format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display())).await?;
    sqlite.execute(&Schema::new(sqlite.get_database_backend()).create_table_from_entity(Entity)).await?;
    let documents = tempfile::tempdir()?;
    let index = Cities::create(documents.path())?;

    let stop = CancellationToken::new();
    let cities = redstream.of::<Entity>()?;
    let workers = Supervisor::new()
        .with(cities.consumer("search", Indexer::new(sqlite.clone(), index.clone())))
        .with(cities.delayer(Duration::from_secs(300)))
        .with(cities.trimmer());
    let workers = tokio::spawn(workers.run_until(stop.clone().cancelled_owned()));

    let db = StreamedConnection::new(sqlite, redstream.producer());
    let txn = db.begin().await?;
    for (name, country) in [("Santiago de Chile", "CL"), ("Santiago de Cuba", "CU"), ("Christiania", "NO")] {
        let city = ActiveModel { name: Set(name.into()), country: Set(country.into()), ..Default::default() };
        city.insert(&txn).await?;
    }
    txn.commit().await?;
    finds(&index, "santiago", &["Santiago de Chile", "Santiago de Cuba"]).await?;
    finds(&index, "NO", &["Christiania"]).await?;

    let txn = db.begin().await?;
    for city in Entity::find().all(&txn).await? {
        match city.country.as_str() {
            "NO" => {
                let renamed = ActiveModel { name: Set("Oslo".into()), ..city.into_active_model() };
                renamed.update(&txn).await?;
            }
            "CU" => _ = city.delete(&txn).await?,
            _ => {}
        }
    }
    txn.commit().await?;
    finds(&index, "NO", &["Oslo"]).await?;
    finds(&index, "santiago", &["Santiago de Chile"]).await?;

    stop.cancel();
    workers.await??;
    Ok(())
}

/// Waits until a search finds exactly these names, for ten seconds at most.
async fn finds(index: &Cities, words: &str, names: &[&str]) -> anyhow::Result<()> {
    for _ in 0..1000 {
        if index.search(words)? == names {
            println!("“{words}” finds {names:?}");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("“{words}” finds {:?} instead of {names:?}, after ten seconds", index.search(words)?)
}

#[cfg(test)]
#[tokio::test]
async fn a_search_finds_what_was_committed_and_nothing_else() -> anyhow::Result<()> {
    story(&redstream_servers::shared_url(redstream_servers::REDIS_URL)?).await
}
