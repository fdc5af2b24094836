//! The shop over HTTP, with real servers.

use redstream_seaorm::Key;
use redstream_seaorm::testing::{self, Capture, assert_streamed};
use redstream_servers::{REDIS_URL, Search as SearchServer, SearchEdition, shared_url};
use sea_orm::prelude::Uuid;
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;

use super::*;

mod deployed;

/// A running shop.
struct Place {
    client: reqwest::Client,
    url: String,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
    database: DatabaseConnection,
    _folder: tempfile::TempDir,
    _search: SearchServer,
}

impl Place {
    async fn new() -> anyhow::Result<Self> {
        let server = tokio::task::spawn_blocking(|| SearchServer::start(SearchEdition::OpenSearch)).await??;
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display());
        let database = Database::connect(url).await?;
        let redis = ConnectOptions::new(shared_url(REDIS_URL)?).namespace(format!("shop-{}", Uuid::new_v4()));
        let (listener, stop) = (TcpListener::bind("127.0.0.1:0").await?, CancellationToken::new());
        let url = format!("http://{}", listener.local_addr()?);
        let (search, stopped) = (format!("http://127.0.0.1:{}", server.port()), stop.clone().cancelled_owned());
        let of_the_shop = database.clone();
        let running = tokio::spawn(async move {
            migration::Migrator::up(&of_the_shop, None).await?;
            run(Role::All, redis, of_the_shop, &search, listener, stopped).await
        });
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { client, url, stop, running, database, _folder: folder, _search: server })
    }

    async fn add(&self, title: &str, author: &str, categories: &[&str]) -> anyhow::Result<Uuid> {
        let book = json!({ "title": title, "status": "announced", "details": { "pages": 7 }, "author": author,
            "categories": categories });
        let answer = self.client.post(format!("{}/books", self.url)).json(&book).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    async fn put(&self, path: &str, body: Json) -> anyhow::Result<()> {
        self.client.put(format!("{}{path}", self.url)).json(&body).send().await?.error_for_status()?;
        Ok(())
    }

    /// Waits until a book has this at this field, for ten seconds at most: when it is read through the cache, and when
    /// it is searched.
    async fn shows(&self, book: Uuid, field: &str, expected: Json) -> anyhow::Result<()> {
        let (search, mut found) = (format!("{}/search?q=books", self.url), Json::Null);
        for _ in 0..500 {
            let read = self.client.get(format!("{}/books/{book}", self.url)).send().await?;
            let read: Json = read.json().await.unwrap_or_default();
            let searched: Vec<Json> = self.client.get(&search).send().await?.error_for_status()?.json().await?;
            let searched = searched.into_iter().find(|found| found["id"] == json!(book)).unwrap_or_default();
            found = json!([read, searched]);
            if read[field] == expected && searched[field] == expected {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("waited for {field} = {expected}, found {found}")
    }

    async fn close(self) -> anyhow::Result<()> {
        self.stop.cancel();
        drop(self.client);
        tokio::time::timeout(Duration::from_secs(30), self.running).await??
    }
}

#[tokio::test]
async fn a_document_follows_all_that_it_contains() -> anyhow::Result<()> {
    let shop = Place::new().await?;
    let mountain = shop.add("The Magic Mountain of books", "Th. Mann", &["novel", "alps"]).await?;
    shop.shows(mountain, "categories", json!(["alps", "novel"])).await?;
    shop.shows(mountain, "author", json!("Th. Mann")).await?;
    shop.shows(mountain, "stars", Json::Null).await?;

    shop.put("/authors/1", json!("Thomas Mann")).await?;
    shop.shows(mountain, "author", json!("Thomas Mann")).await?;
    shop.put("/categories/2", json!("Alps")).await?;
    shop.shows(mountain, "categories", json!(["Alps", "novel"])).await?;
    shop.put(&format!("/books/{mountain}/reviews/ann"), json!(5)).await?;
    shop.put(&format!("/books/{mountain}/reviews/bob"), json!(2)).await?;
    shop.shows(mountain, "stars", json!(3.5)).await?;
    shop.put(&format!("/books/{mountain}/reviews/bob"), json!(3)).await?;
    shop.shows(mountain, "stars", json!(4.0)).await?;
    shop.put("/books/status", json!({ "from": "announced", "to": "in_print" })).await?;
    shop.shows(mountain, "status", json!("in_print")).await?;

    let admin = shop.client.get(format!("{}/admin", shop.url)).send().await?.error_for_status()?.text().await?;
    for consumer in ["search", "books-of-authors", "books-of-categories"] {
        assert!(admin.contains(&format!("<td>{consumer}<td>")), "{admin}");
    }
    shop.client.delete(format!("{}/books/{mountain}", shop.url)).send().await?.error_for_status()?;
    shop.shows(mountain, "title", Json::Null).await?;
    shop.close().await
}

#[tokio::test]
async fn all_books_can_be_indexed_again_and_verified() -> anyhow::Result<()> {
    use sea_orm::ConnectionTrait as _;
    let shop = Place::new().await?;
    let mountain = shop.add("The Magic Mountain of books", "Thomas Mann", &[]).await?;
    shop.shows(mountain, "title", json!("The Magic Mountain of books")).await?;
    // Past the shop, so that nothing is announced.
    shop.database.execute_unprepared("UPDATE books SET title = 'Of books: Der Zauberberg'").await?;
    shop.client.post(format!("{}/admin/reindex", shop.url)).send().await?.error_for_status()?;
    shop.shows(mountain, "title", json!("Of books: Der Zauberberg")).await?;
    shop.database.execute_unprepared("UPDATE books SET title = 'Of books: Joseph'").await?;
    let report = shop.client.post(format!("{}/admin/verify", shop.url)).send().await?.error_for_status()?;
    assert!(report.text().await?.contains("stale 1, extra 0, repaired 1"));
    shop.shows(mountain, "title", json!("Of books: Joseph")).await?;
    shop.close().await
}

/// What a service's own tests look like: with a Redis, and without workers and sleeps.
#[tokio::test]
async fn a_link_announces_its_book() -> anyhow::Result<()> {
    use entities::shelf;
    use sea_orm::{ActiveModelTrait as _, ActiveValue::Set};

    let redstream = testing::connect(shared_url(REDIS_URL)?).await?;
    let database = Database::connect("sqlite::memory:").await?;
    migration::Migrator::up(&database, None).await?;
    let db = StreamedConnection::new(database, redstream.producer());
    let author = author::ActiveModel { name: Set("Thomas Mann".to_owned()), ..Default::default() }.insert(&db).await?;
    let category = category::ActiveModel { name: Set("novel".to_owned()), ..Default::default() }.insert(&db).await?;
    let book = book::ActiveModel {
        id: Set(Uuid::new_v4()),
        title: Set("Buddenbrooks".to_owned()),
        status: Set(book::Status::InPrint),
        details: Set(json!({})),
        author_id: Set(author.id),
    };
    let book = book.insert(&db).await?;
    let capture = Capture::of::<book::Entity>(&redstream).await?;

    let txn = sea_orm::TransactionTrait::begin(&db).await?;
    shelf::ActiveModel { book_id: Set(book.id), category_id: Set(category.id) }.insert(&txn).await?;
    txn.commit().await?;
    assert_streamed!(capture, [Key::of(&book)]);
    Ok(())
}

#[tokio::test]
async fn workers_that_lack_something_do_not_start() -> anyhow::Result<()> {
    let redstream = testing::connect(shared_url(REDIS_URL)?).await?;
    let db = StreamedConnection::new(Database::connect("sqlite::memory:").await?, redstream.producer());
    let index = || search_index(Elasticsearch::builder(["http://127.0.0.1:1"]).build().expect("a client"));
    let books = || Documents::new(document::load).embed::<author::Entity>().embed::<category::Entity>();
    let of_authors = |authors: &[Key<author::Entity>]| {
        use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
        book::Entity::find().filter(book::Column::AuthorId.is_in(authors.iter().map(Key::value)))
    };
    let refused = |workers: Workers| workers.supervisor().expect_err("something is missing").to_string();

    let without_consumer = refused(redstream.workers(&db).index("search", Documents::new(document::load), index()));
    assert!(without_consumer.contains("is streamed and nothing here consumes its changes"), "{without_consumer}");
    let misspelled = refused(redstream.workers(&db).index("search", books(), index()).options("serach", |it| it));
    assert!(misspelled.contains("`search`"), "{misspelled}");
    let twice = refused(redstream.workers(&db).index("search", books(), index()).index("search", books(), index()));
    assert!(twice.contains("are named `search`"), "{twice}");
    let two_queries = books().embed_by::<author::Entity>(of_authors);
    let two_queries = refused(redstream.workers(&db).index("search", two_queries, index()));
    assert!(two_queries.contains("books-of-authors"), "{two_queries}");

    let two_indexes = redstream.workers(&db).index("search", books(), index()).index("other", books(), index());
    let elsewhere = redstream.workers(&db).index("search", Documents::new(document::load), index());
    let elsewhere = elsewhere.elsewhere::<author::Entity>().elsewhere::<category::Entity>();
    for complete in [two_indexes, elsewhere] {
        complete.supervisor()?;
    }
    Ok(())
}
