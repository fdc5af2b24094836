//! An axum application: SeaORM's own axum example, converted, with its workers in the same process.
//!
//! Where SeaORM's has `use sea_orm::DbConn`, this has another `use` line; migrations run on the connection inside. The
//! server and the workers share their state: the search index that the one fills and the other searches, and the health.
//! They stop together: first requests end, then batches.
//!
//! Needs a Redis: the first argument, or `REDIS_URL`, or the one on this machine.
//!
//! ```sh
//! cargo run -p redstream-examples --example axum_app
//! curl -H 'Content-Type: application/json' -d '{"title":"Hello","text":"World"}' http://127.0.0.1:8000/posts
//! curl http://127.0.0.1:8000/search/hello
//! ```

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use redstream_seaorm::StreamedConnection as DbConn; // was: use sea_orm::DbConn;
use redstream_seaorm::core::Health;
use redstream_seaorm::{CancellationToken, ConnectOptions, Indexer, Redstream, Supervisor};
use sea_orm::{Database, DbErr};
use sea_orm_migration::MigratorTrait as _;
use tokio::net::TcpListener;

mod post {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize, Serialize, Streamed)]
    #[sea_orm(table_name = "posts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        #[serde(skip_deserializing)]
        pub id: i32,
        pub title: String,
        pub text: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

mod migration {
    use sea_orm_migration::prelude::*;
    use sea_orm_migration::schema::{pk_auto, string};

    pub(crate) struct Migrator;

    impl MigratorTrait for Migrator {
        fn migrations() -> Vec<Box<dyn MigrationTrait>> {
            vec![Box::new(CreatePosts)]
        }
    }

    struct CreatePosts;

    impl MigrationName for CreatePosts {
        fn name(&self) -> &'static str {
            "m20220120_000001_create_post_table"
        }
    }

    #[expect(elided_lifetimes_in_paths, reason = "the trait has them so, and another form would not match it")]
    #[async_trait::async_trait]
    impl MigrationTrait for CreatePosts {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            let mut posts = Table::create();
            posts.table("posts").if_not_exists().col(pk_auto("id")).col(string("title")).col(string("text"));
            manager.create_table(posts).await
        }
    }
}

/// What SeaORM's example has in a crate of its own: it takes a `&DbConn`, and stays as it was.
mod service {
    use redstream_seaorm::StreamedConnection as DbConn; // was: use sea_orm::DbConn;
    use sea_orm::{ActiveValue::Set, IntoActiveModel as _, ModelTrait as _, QueryOrder as _, entity::prelude::*};

    use super::post;

    pub(crate) async fn posts(db: &DbConn) -> Result<Vec<post::Model>, DbErr> {
        post::Entity::find().order_by_asc(post::Column::Id).all(db).await
    }

    pub(crate) async fn create_post(db: &DbConn, form: post::Model) -> Result<post::Model, DbErr> {
        post::ActiveModel { title: Set(form.title), text: Set(form.text), ..Default::default() }.insert(db).await
    }

    pub(crate) async fn update_post(db: &DbConn, id: i32, form: post::Model) -> Result<post::Model, DbErr> {
        let post = find(db, id).await?.into_active_model();
        post::ActiveModel { title: Set(form.title), text: Set(form.text), ..post }.update(db).await
    }

    pub(crate) async fn delete_post(db: &DbConn, id: i32) -> Result<(), DbErr> {
        find(db, id).await?.delete(db).await.map(drop)
    }

    async fn find(db: &DbConn, id: i32) -> Result<post::Model, DbErr> {
        let found = post::Entity::find_by_id(id).one(db).await?;
        found.ok_or_else(|| DbErr::RecordNotFound(format!("there is no post {id}")))
    }
}

/// The secondary datastore: the titles in memory, which the server searches.
mod search {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex, PoisonError};

    use redstream_seaorm::{Changes, HandlerError, Sink};

    use super::post;

    #[derive(Clone, Default)]
    pub(crate) struct Index(Arc<Mutex<BTreeMap<i32, String>>>);

    #[async_trait::async_trait]
    impl Sink<post::Entity> for Index {
        async fn write(&self, changes: Changes<post::Entity>) -> Result<(), HandlerError> {
            let mut titles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            titles.extend(changes.upserts.into_iter().map(|post| (post.id, post.title)));
            changes.deletes.iter().for_each(|key| _ = titles.remove(&key.value()));
            Ok(())
        }
    }

    impl Index {
        pub(crate) fn titles_with(&self, word: &str) -> Vec<String> {
            let titles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            titles.values().filter(|title| title.to_lowercase().contains(&word.to_lowercase())).cloned().collect()
        }
    }
}

#[derive(Clone)]
struct AppState {
    conn: DbConn,
    index: search::Index,
    health: Health,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    let listener = TcpListener::bind("127.0.0.1:8000").await?;
    println!("listening at http://{}/posts until ctrl-C", listener.local_addr()?);
    let stop = async { _ = tokio::signal::ctrl_c().await };
    start(&url.unwrap_or_else(|| "redis://127.0.0.1/".to_owned()), listener, stop).await
}

async fn start(
    redis: &str,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let redstream = Redstream::connect(ConnectOptions::new(redis).namespace("redstream-axum-app")).await?;
    let folder = tempfile::tempdir()?;
    let sqlite = Database::connect(format!("sqlite://{}?mode=rwc", folder.path().join("posts.db").display())).await?;
    let conn = DbConn::new(sqlite, redstream.producer());
    // Migrations take SeaORM's own connection: nobody is told of what they write.
    migration::Migrator::up(conn.inner(), None).await?;

    let (index, stopped) = (search::Index::default(), CancellationToken::new());
    let posts = redstream.stream("posts")?;
    let workers = Supervisor::new()
        .with(posts.consumer("search", Indexer::new(conn.clone(), index.clone())))
        .with(posts.delayer(Duration::from_secs(300)))
        .with(posts.trimmer());
    let state = AppState { conn, index, health: workers.health() };
    let workers = tokio::spawn(workers.run_until(stopped.clone().cancelled_owned()));

    let served = axum::serve(listener, router(state)).with_graceful_shutdown(stop).await;
    stopped.cancel();
    workers.await??;
    Ok(served?)
}

fn router(state: AppState) -> Router {
    Router::new()
        .route("/posts", get(list_posts).post(create_post))
        .route("/posts/{id}", axum::routing::put(update_post).delete(delete_post))
        .route("/search/{word}", get(search_posts))
        .route("/health", get(health))
        .with_state(state)
}

async fn list_posts(State(state): State<AppState>) -> Result<Json<Vec<post::Model>>, AppError> {
    Ok(Json(service::posts(&state.conn).await?))
}

async fn create_post(
    State(state): State<AppState>,
    Json(form): Json<post::Model>,
) -> Result<(StatusCode, Json<post::Model>), AppError> {
    Ok((StatusCode::CREATED, Json(service::create_post(&state.conn, form).await?)))
}

async fn update_post(
    State(state): State<AppState>,
    Path(id): Path<i32>,
    Json(form): Json<post::Model>,
) -> Result<Json<post::Model>, AppError> {
    Ok(Json(service::update_post(&state.conn, id, form).await?))
}

async fn delete_post(State(state): State<AppState>, Path(id): Path<i32>) -> Result<StatusCode, AppError> {
    service::delete_post(&state.conn, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn search_posts(State(state): State<AppState>, Path(word): Path<String>) -> Json<Vec<String>> {
    Json(state.index.titles_with(&word))
}

async fn health(State(state): State<AppState>) -> (StatusCode, String) {
    let code = if state.health.is_live() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let workers = state.health.workers().into_iter().map(|worker| format!("{}: {:?}\n", worker.name, worker.condition));
    (code, workers.collect())
}

struct AppError(DbErr);

impl From<DbErr> for AppError {
    fn from(error: DbErr) -> Self {
        Self(error)
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let missing = matches!(self.0, DbErr::RecordNotFound(_));
        let code = if missing { StatusCode::NOT_FOUND } else { StatusCode::INTERNAL_SERVER_ERROR };
        (code, self.0.to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use reqwest::Client;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn each_change_over_http_arrives_in_the_index_and_all_stop_together() -> anyhow::Result<()> {
        let redis = std::env::var("REDSTREAM_TEST_REDIS_URL")?;
        let (listener, stop) = (TcpListener::bind("127.0.0.1:0").await?, CancellationToken::new());
        let at = format!("http://{}", listener.local_addr()?);
        let stopped = stop.clone().cancelled_owned();
        let app = tokio::spawn(async move { start(&redis, listener, stopped).await });
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;

        let hello = json!({ "title": "Hello", "text": "World" });
        let created = client.post(format!("{at}/posts")).json(&hello).send().await?;
        assert_eq!(created.status(), 201);
        let id = created.json::<serde_json::Value>().await?["id"].clone();
        finds(&client, &at, "hello", &["Hello"]).await?;

        let goodbye = json!({ "title": "Goodbye", "text": "World" });
        let post = format!("{at}/posts/{id}");
        assert_eq!(client.put(&post).json(&goodbye).send().await?.status(), 200);
        finds(&client, &at, "goodbye", &["Goodbye"]).await?;
        finds(&client, &at, "hello", &[]).await?;
        let listed: serde_json::Value = client.get(format!("{at}/posts")).send().await?.json().await?;
        assert_eq!(listed, json!([{ "id": id, "title": "Goodbye", "text": "World" }]));

        assert_eq!(client.delete(&post).send().await?.status(), 204);
        finds(&client, &at, "goodbye", &[]).await?;
        assert_eq!(client.delete(&post).send().await?.status(), 404);

        let health = client.get(format!("{at}/health")).send().await?;
        assert_eq!(health.status(), 200);
        assert!(health.text().await?.contains("consumer search of posts"));
        stop.cancel();
        drop(client);
        tokio::time::timeout(Duration::from_secs(30), app).await??
    }

    /// Waits until a search finds just these titles, for ten seconds at most.
    async fn finds(client: &Client, at: &str, word: &str, titles: &[&str]) -> anyhow::Result<()> {
        let mut found = Vec::new();
        for _ in 0..1000 {
            found = client.get(format!("{at}/search/{word}")).send().await?.json::<Vec<String>>().await?;
            if found == titles {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("“{word}” finds {found:?} instead of {titles:?}, after ten seconds")
    }
}
