//! A loader that says what its documents contain of other entities.

use std::fmt;

use redstream_core::HandlerError;
use sea_orm::{ConnectionTrait, Related, Select};

use crate::entity::key::Key;
use crate::entity::streamed::Streamed;
use crate::index::embedded::Embedded;
use crate::index::loader::Loader;

/// A [`Loader`] with the entities that its documents contain, so that [`Workers`](crate::Workers) writes a document
/// again when any of them changes, moves or goes: declared once, next to the loader.
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
/// use redstream_seaorm::{Documents, HandlerError, Key, Redstream, RedstreamExt, Sink, StreamedConnection, find_by_keys};
/// use sea_orm::LoaderTrait;
///
/// type Document = (String, Option<String>);
///
/// async fn documents(
///     db: StreamedConnection,
///     keys: Vec<Key<book::Entity>>,
/// ) -> Result<Vec<(Key<book::Entity>, Document)>, HandlerError> {
///     let books = find_by_keys(book::Entity, &keys, &db).await?;
///     let authors = books.load_one(author::Entity, &db).await?;
///     let document = |(book, author): (book::Model, Option<author::Model>)| {
///         (Key::of(&book), (book.title, author.map(|author| author.name)))
///     };
///     Ok(books.into_iter().zip(authors).map(document).collect())
/// }
///
/// # fn example(
/// #     redstream: Redstream, db: StreamedConnection, sink: impl Sink<book::Entity, Document>,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let documents = Documents::new(documents).embed::<author::Entity>();
/// let workers = redstream.workers(&db).index("search", documents, sink).start()?;
/// # Ok(()) }
/// ```
#[must_use]
pub struct Documents<E, C, L> {
    loader: L,
    embedded: Vec<Make<C>>,
    entity: std::marker::PhantomData<fn() -> E>,
}

type Make<C> = Box<dyn Fn() -> Embedded<C> + Send + Sync>;

impl<E, C, L> Documents<E, C, L>
where
    E: Streamed,
    C: ConnectionTrait + Clone + Send + Sync + 'static,
    L: Loader<E, C>,
{
    /// Documents that this loader makes.
    pub fn new(loader: L) -> Self {
        Self { loader, embedded: Vec::new(), entity: std::marker::PhantomData }
    }

    /// They contain data of `P`, by SeaORM's relation to it; see [`Embedded::of`].
    pub fn embed<P: Streamed>(mut self) -> Self
    where
        E: Related<P>,
    {
        self.embedded.push(Box::new(Embedded::of::<E, P>));
        self
    }

    /// They contain data of `P`: these are the rows whose documents do; see [`Embedded::by`]. Declare it for one index
    /// of the entity: the others are written again, too.
    pub fn embed_by<P: Streamed>(
        mut self,
        rows: impl Fn(&[Key<P>]) -> Select<E> + Clone + Send + Sync + 'static,
    ) -> Self {
        self.embedded.push(Box::new(move || Embedded::by::<E, P>(rows.clone())));
        self
    }
}

impl<E, C, L> Loader<E, C> for Documents<E, C, L>
where
    E: Streamed,
    C: Send + Sync + 'static,
    L: Loader<E, C>,
{
    type Record = L::Record;

    async fn load(&self, db: &C, keys: &[Key<E>]) -> Result<Vec<(Key<E>, L::Record)>, HandlerError> {
        self.loader.load(db, keys).await
    }

    fn embedded(&self) -> Vec<Embedded<C>> {
        self.embedded.iter().map(|make| make()).collect()
    }
}

impl<E, C, L> fmt::Debug for Documents<E, C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").field("embedded", &self.embedded.len()).finish_non_exhaustive()
    }
}
