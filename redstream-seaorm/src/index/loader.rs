//! The loader: turns the keys that a batch names into what the sink is to write.

use redstream_core::HandlerError;
use sea_orm::{ConnectionTrait, DbErr, EntityOrSelect, EntityTrait, QueryFilter, Select};

use crate::entity::key::Key;
use crate::entity::key_list::is_one_of_for;
use crate::entity::key_query::keys_a_statement;
use crate::index::embedded::Embedded;

/// Reads from the primary database what an [`Indexer`](crate::Indexer) passes to its sink: one record per key.
///
/// [`Rows`], the default, only reads the rows. Write your own to load relations with them, each in one query for the
/// whole batch, or to leave out rows that the datastore should not have.
///
/// Any `Fn(C, Vec<Key<E>>) -> impl Future<Output = Result<Vec<(Key<E>, R)>, HandlerError>>` is a loader, `C` being the
/// connection:
///
/// ```no_run
/// # fn main() {}
/// # mod author {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[sea_orm::model]
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
/// #     #[sea_orm(table_name = "authors")]
/// #     pub struct Model {
/// #         #[sea_orm(primary_key)] pub id: i64,
/// #         pub name: String,
/// #         #[sea_orm(has_many)] pub books: HasMany<super::book::Entity>,
/// #     }
/// # }
/// # mod book {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[sea_orm::model]
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
/// #     #[sea_orm(table_name = "books")]
/// #     pub struct Model {
/// #         #[sea_orm(primary_key)] pub id: i64,
/// #         pub title: String,
/// #         pub author_id: i64,
/// #         #[sea_orm(belongs_to, from = "author_id", to = "id")] pub author: HasOne<super::author::Entity>,
/// #     }
/// # }
/// use redstream_seaorm::{Changes, HandlerError, Indexer, Key, Sink, Stream, find_by_keys};
/// use sea_orm::{DatabaseConnection, LoaderTrait};
///
/// /// What the search index has of an author.
/// struct Document { name: String, titles: Vec<String> }
///
/// /// Two queries, however many authors.
/// async fn documents(
///     db: DatabaseConnection,
///     keys: Vec<Key<author::Entity>>,
/// ) -> Result<Vec<(Key<author::Entity>, Document)>, HandlerError> {
///     let authors = find_by_keys(author::Entity, &keys, &db).await?;
///     let books = authors.load_many(book::Entity, &db).await?;
///     let document = |(author, books): (author::Model, Vec<book::Model>)| {
///         let titles = books.into_iter().map(|book| book.title).collect();
///         (Key::of(&author), Document { name: author.name, titles })
///     };
///     Ok(authors.into_iter().zip(books).map(document).collect())
/// }
///
/// struct SearchIndex;
///
/// impl Sink<author::Entity, Document> for SearchIndex {
///     async fn write(&self, changes: Changes<author::Entity, Document>) -> Result<(), HandlerError> {
///         for (_, Document { name, titles }) in changes.upserts {
///             println!("{name} wrote {}", titles.join(", "));
///         }
///         Ok(())
///     }
/// }
///
/// # fn example(authors: Stream, primary: DatabaseConnection) {
/// let consumer = authors.consumer("search", Indexer::with_loader(primary, documents, SearchIndex));
/// # }
/// ```
pub trait Loader<E: EntityTrait, C>: Send + Sync + 'static {
    /// The record that the sink writes for one key.
    type Record: Send + 'static;

    /// The records of these keys, in any order; no key comes twice. A key without a record counts as deleted.
    ///
    /// Read only from `db`, which is the primary database: the batch's version was issued just before, and promises
    /// that what is read is at least as new.
    ///
    /// An error fails the whole batch; [`HandlerError::only`] does not.
    #[expect(clippy::type_complexity, reason = "an alias would hide what an implementation returns")]
    fn load(
        &self,
        db: &C,
        keys: &[Key<E>],
    ) -> impl Future<Output = Result<Vec<(Key<E>, Self::Record)>, HandlerError>> + Send;

    /// The records of all rows of this selection of the whole row, with their keys. A [verification](crate::Verify)
    /// then reads a page of rows by one query, instead of its keys and then [these](Self::load).
    ///
    /// `None`, by default, if a record is made of more than its row, or if not each row has one.
    #[expect(clippy::type_complexity, reason = "an alias would hide what an implementation returns")]
    fn load_rows(
        &self,
        db: &C,
        rows: Select<E>,
    ) -> impl Future<Output = Result<Option<Vec<(Key<E>, Self::Record)>>, HandlerError>> + Send {
        _ = (db, rows);
        async { Ok(None) }
    }

    /// The other entities whose data the records contain, so that [`Workers`](crate::Workers) follows their changes:
    /// `vec![Embedded::of::<book::Entity, author::Entity>()]`. Default: none.
    ///
    /// For a function, see [`Documents`](crate::Documents).
    fn embedded(&self) -> Vec<Embedded<C>> {
        Vec::new()
    }
}

impl<E, C, R, F, Fut> Loader<E, C> for F
where
    E: EntityTrait,
    C: Clone + Send + Sync + 'static,
    R: Send + 'static,
    F: Fn(C, Vec<Key<E>>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Vec<(Key<E>, R)>, HandlerError>> + Send,
{
    type Record = R;

    async fn load(&self, db: &C, keys: &[Key<E>]) -> Result<Vec<(Key<E>, R)>, HandlerError> {
        self(db.clone(), keys.to_vec()).await
    }
}

/// The loader of an [`Indexer`](crate::Indexer) without a loader of its own: each row as its `Model`, by one query.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rows;

impl<E, C> Loader<E, C> for Rows
where
    E: EntityTrait<Model: Sync>,
    C: ConnectionTrait + Send + Sync + 'static,
{
    type Record = E::Model;

    async fn load(&self, db: &C, keys: &[Key<E>]) -> Result<Vec<(Key<E>, E::Model)>, HandlerError> {
        Ok(keyed(find_by_keys(E::default(), keys, db).await?))
    }

    async fn load_rows(&self, db: &C, rows: Select<E>) -> Result<Option<Vec<(Key<E>, E::Model)>>, HandlerError> {
        Ok(Some(keyed(rows.all(db).await?)))
    }
}

fn keyed<E: EntityTrait>(rows: Vec<E::Model>) -> Vec<(Key<E>, E::Model)> {
    rows.into_iter().map(|row| (Key::of(&row), row)).collect()
}

/// The rows of these keys, in no order; rows that are deleted or do not meet the selection are left out.
///
/// `rows` is an entity, or a selection of it such as `author::Entity::find().filter(author::Column::Hidden.eq(false))`,
/// as in SeaORM's `load_many`. One query, or one for every 5000 keys (400 if a key has several columns).
///
/// # Errors
///
/// If a query fails.
pub async fn find_by_keys<E, C>(rows: impl EntityOrSelect<E>, keys: &[Key<E>], db: &C) -> Result<Vec<E::Model>, DbErr>
where
    E: EntityTrait,
    C: ConnectionTrait,
{
    let select = rows.select();
    let mut found = Vec::with_capacity(keys.len());
    for keys in keys.chunks(keys_a_statement::<E>()) {
        found.extend(select.clone().filter(is_one_of_for(keys, db.get_database_backend())).all(db).await?);
    }
    Ok(found)
}
