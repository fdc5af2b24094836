//! The routes. Each write is one transaction; what follows from it is no concern of theirs.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use redstream_seaorm::{Bulk, CancellationToken, ErrorKind, Key, Redstream, StreamedConnection};
use redstream_sinks::cache::Cache;
use redstream_sinks::elasticsearch::ElasticsearchSink;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _};
use sea_orm::{IntoActiveModel as _, TransactionTrait as _, UpdateMany};
use serde::Deserialize;

use crate::admin;
use crate::document::{self, Document};
use crate::entities::{author, book, category, review, shelf};
use crate::search::Search;

#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) db: StreamedConnection,
    pub(crate) redstream: Redstream,
    pub(crate) search: Search,
    pub(crate) index: ElasticsearchSink<book::Entity>,
    pub(crate) cache: Cache<book::Entity, Document>,
    pub(crate) stop: CancellationToken,
}

pub(crate) fn router(shop: Shop) -> Router {
    Router::new()
        .route("/books", post(add_book))
        .route("/books/{id}", get(show_book).delete(remove_book))
        .route("/books/{id}/reviews/{reader}", put(review_book))
        .route("/books/status", put(set_status))
        .route("/authors/{id}", put(rename_author))
        .route("/categories/{id}", put(rename_category))
        .route("/search", get(search))
        .merge(admin::router())
        .with_state(shop)
}

#[derive(Deserialize)]
struct NewBook {
    title: String,
    status: book::Status,
    details: serde_json::Value,
    author: String,
    categories: Vec<String>,
}

async fn add_book(State(shop): State<Shop>, Json(new): Json<NewBook>) -> Result<(StatusCode, Json<Uuid>), AppError> {
    let txn = shop.db.begin().await?;
    let author = match author::Entity::find().filter(author::Column::Name.eq(&new.author)).one(&txn).await? {
        Some(author) => author,
        None => author::ActiveModel { name: Set(new.author), ..Default::default() }.insert(&txn).await?,
    };
    let book = book::ActiveModel {
        id: Set(Uuid::new_v4()),
        title: Set(new.title),
        status: Set(new.status),
        details: Set(new.details),
        author_id: Set(author.id),
    };
    let book = book.insert(&txn).await?;
    for name in new.categories {
        let category = match category::Entity::find().filter(category::Column::Name.eq(&name)).one(&txn).await? {
            Some(category) => category,
            None => category::ActiveModel { name: Set(name), ..Default::default() }.insert(&txn).await?,
        };
        shelf::ActiveModel { book_id: Set(book.id), category_id: Set(category.id) }.insert(&txn).await?;
    }
    txn.commit().await?;
    Ok((StatusCode::CREATED, Json(book.id)))
}

async fn show_book(State(shop): State<Shop>, Path(id): Path<Uuid>) -> Result<Json<Document>, AppError> {
    let key = Key::new(id);
    let load = async || {
        let loaded = document::load(shop.db.clone(), vec![key.clone()]).await;
        let mut loaded = loaded.map_err(|error| anyhow::Error::from_boxed(error.into_source()))?;
        anyhow::Ok(loaded.pop().map(|(_, document)| document))
    };
    shop.cache.get_or_load(&key, load).await?.map(Json).ok_or_else(|| missing("book"))
}

/// Its reviews and shelves first: what a foreign key deletes by itself, no hook sees.
async fn remove_book(State(shop): State<Shop>, Path(id): Path<Uuid>) -> Result<StatusCode, AppError> {
    let txn = shop.db.begin().await?;
    let book = book::Entity::find_by_id(id).one(&txn).await?.ok_or_else(|| missing("book"))?;
    Bulk::<review::Entity>::new().filter(review::Column::BookId.eq(id)).delete_many(&txn).await?;
    Bulk::<shelf::Entity>::new().filter(shelf::Column::BookId.eq(id)).delete_many(&txn).await?;
    book.into_active_model().delete(&txn).await?;
    txn.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn review_book(
    State(shop): State<Shop>,
    Path((book_id, reader)): Path<(Uuid, String)>,
    Json(stars): Json<i32>,
) -> Result<StatusCode, AppError> {
    let txn = shop.db.begin().await?;
    let known = review::Entity::find_by_id((book_id, reader.clone())).one(&txn).await?;
    let review = review::ActiveModel { book_id: Set(book_id), reader: Set(reader), stars: Set(stars) };
    if known.is_some() {
        review.update(&txn).await?
    } else {
        review.insert(&txn).await?
    };
    txn.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct StatusChange {
    from: book::Status,
    to: book::Status,
}

/// Many rows at once.
async fn set_status(State(shop): State<Shop>, Json(change): Json<StatusChange>) -> Result<Json<u64>, AppError> {
    let books = Bulk::<book::Entity>::new().filter(book::Column::Status.eq(change.from));
    let status = |books: UpdateMany<_>| {
        books.col_expr(book::Column::Status, book::Column::Status.save_as(Expr::value(change.to)))
    };
    Ok(Json(books.update_many(&shop.db, status).await?))
}

async fn rename_author(
    State(shop): State<Shop>,
    Path(id): Path<i64>,
    Json(name): Json<String>,
) -> Result<StatusCode, AppError> {
    let author = author::Entity::find_by_id(id).one(&shop.db).await?.ok_or_else(|| missing("author"))?;
    author::ActiveModel { name: Set(name), ..author.into_active_model() }.update(&shop.db).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rename_category(
    State(shop): State<Shop>,
    Path(id): Path<i64>,
    Json(name): Json<String>,
) -> Result<StatusCode, AppError> {
    let category = category::Entity::find_by_id(id).one(&shop.db).await?.ok_or_else(|| missing("category"))?;
    category::ActiveModel { name: Set(name), ..category.into_active_model() }.update(&shop.db).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Words {
    q: String,
}

async fn search(State(shop): State<Shop>, Query(words): Query<Words>) -> Result<Json<Vec<Document>>, AppError> {
    Ok(Json(shop.search.find(&words.q).await?))
}

pub(crate) struct AppError(anyhow::Error);

fn missing(what: &str) -> AppError {
    AppError(DbErr::RecordNotFound(format!("no such {what}")).into())
}

impl<E: Into<anyhow::Error>> From<E> for AppError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let database = self.0.downcast_ref::<DbErr>();
        let code = match (database, database.and_then(ErrorKind::of)) {
            (Some(DbErr::RecordNotFound(_)), _) => StatusCode::NOT_FOUND,
            // Redis is unavailable, so the change was not made; or the transaction can be retried.
            (_, Some(ErrorKind::Unavailable | ErrorKind::Retry)) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (code, format!("{:#}", self.0)).into_response()
    }
}
