//! What the search index has of a book, and how it is read.

use redstream_seaorm::{HandlerError, Key, StreamedConnection, find_by_keys};
use sea_orm::{LoaderTrait as _, prelude::Uuid};
use serde::{Deserialize, Serialize};

use crate::entities::{author, book, category, review};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Document {
    pub(crate) id: Uuid,
    pub(crate) title: String,
    pub(crate) status: book::Status,
    pub(crate) details: serde_json::Value,
    pub(crate) author: Option<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) stars: Option<f64>,
}

/// Four queries, however many books.
pub(crate) async fn load(
    db: StreamedConnection,
    keys: Vec<Key<book::Entity>>,
) -> Result<Vec<(Key<book::Entity>, Document)>, HandlerError> {
    let books = find_by_keys(book::Entity, &keys, &db).await?;
    let authors = books.load_one(author::Entity, &db).await?;
    let categories = books.load_many(category::Entity, &db).await?;
    let reviews = books.load_many(review::Entity, &db).await?;
    let documents =
        books.into_iter().zip(authors).zip(categories).zip(reviews).map(|(((book, author), categories), reviews)| {
            let (key, book::Model { id, title, status, details, .. }) = (Key::of(&book), book);
            let (count, sum) =
                reviews.iter().fold((0.0, 0.0), |(n, sum), review| (n + 1.0, sum + f64::from(review.stars)));
            let stars = (!reviews.is_empty()).then(|| sum / count);
            let mut categories: Vec<_> = categories.into_iter().map(|category| category.name).collect();
            categories.sort_unstable();
            (key, Document { id, title, status, details, author: author.map(|author| author.name), categories, stars })
        });
    Ok(documents.collect())
}
