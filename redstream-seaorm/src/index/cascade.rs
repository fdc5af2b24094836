//! The cascade: announces the entities whose documents contain data of a changed entity.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use redstream_core::{Batch, BoxError, Handler, HandlerError, Producer};
use sea_orm::sea_query::Order;
use sea_orm::{ConnectionTrait, EntityTrait, QuerySelect, QueryTrait, Related, Select};
use serde_json::Value as Json;

use crate::entity::decode::{BatchKeys, Decoder};
use crate::entity::key::{Key, KeyOf};
use crate::entity::key_order::KeyOrder;
use crate::entity::key_query::{keys_a_statement, keys_of, next_keys};
use crate::entity::relation::children_of;
use crate::entity::streamed::{Streamed, messages};
use crate::index::expected_streams::Meant;

/// How many keys are read, and queued, per page.
const PAGE_SIZE: u64 = 1000;

/// The rows of `Ch` that are children of these.
pub(super) type Children<P, Ch> = Arc<dyn Fn(&[Key<P>]) -> Select<Ch> + Send + Sync>;

/// Turns messages of changed parents `P` into messages of their children `Ch`, for documents of the children that
/// contain data of the parent, such as a book's document with the name of its author.
///
/// It is the handler of an additional consumer of the parents' stream. For each batch it pages through the keys of the
/// children of all its parents, and queues a main message for each; the batch is committed when Redis has acknowledged
/// all of them. The children's own consumers then write their documents again, as after any other change. A batch that
/// was interrupted is repeated, which does no harm.
///
/// It takes the memory of one page whatever the number of children.
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
/// use redstream_seaorm::{Cascade, RedstreamExt, Redstream, Sink};
///
/// # fn example(
/// #     redstream: Redstream, primary: sea_orm::DatabaseConnection,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let books = Cascade::<author::Entity, book::Entity, _>::new(primary, redstream.producer());
/// let consumer = redstream.of::<author::Entity>()?.consumer("books-of-authors", books);
/// # Ok(()) }
/// ```
///
/// # What it does not do
///
/// - **It does not detect cycles.** A message has a key and no reason: if authors cascade to books *and* books to
///   authors, each message causes another, without end. Cascade in one direction, and have the writer
///   [touch](fn@crate::hooks::touch) the other side.
/// - **It knows the current children only.** A child that left its parent is no longer its child: if the *parent's*
///   document contains data of its children, the writer names both parents, the old and the new: the child's
///   [`parents`](Streamed::parents) do so.
/// - **It does not see what the database deletes by itself.** Rows deleted by `ON DELETE CASCADE` have no message:
///   delete them yourself, before the parent.
pub struct Cascade<P, Ch: EntityTrait, C> {
    primary: C,
    producer: Producer,
    children: Children<P, Ch>,
    page_size: u64,
    decoder: Decoder<P>,
    meant: Meant,
}

impl<P, Ch, C> Cascade<P, Ch, C>
where
    P: Streamed,
    Ch: Streamed,
    C: ConnectionTrait + Send + Sync + 'static,
{
    /// The children by a relation of SeaORM's, of any kind: one to many, many to many, or `belongs_to`.
    ///
    /// `primary` must be the primary database itself, not a replica with replication lag.
    ///
    /// A deleted parent's children are found if the relation leads directly from its key to a column of theirs.
    pub fn new(primary: C, producer: Producer) -> Self
    where
        P: Related<Ch>,
    {
        Self::build(primary, producer, Arc::new(children_of))
    }

    /// The children by a query of your own, which is given the parents of a batch: at most 5000, or 400 if their key
    /// has several columns.
    ///
    /// Its columns, its order and its limit are replaced. A child that it finds several times is queued once per page.
    ///
    /// ```no_run
    /// # mod author {
    /// #     use redstream_seaorm::Streamed;
    /// #     use sea_orm::entity::prelude::*;
    /// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    /// #     #[sea_orm(table_name = "authors")]
    /// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
    /// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    /// #     pub enum Relation {}
    /// # }
    /// # mod book {
    /// #     use redstream_seaorm::Streamed;
    /// #     use sea_orm::entity::prelude::*;
    /// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    /// #     #[sea_orm(table_name = "books")]
    /// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub author_id: i64, pub hidden: bool }
    /// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    /// #     pub enum Relation {}
    /// # }
    /// use redstream_seaorm::{Cascade, Key, Producer};
    /// use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
    ///
    /// # fn example(primary: sea_orm::DatabaseConnection, producer: Producer) {
    /// let books = Cascade::with_query(primary, producer, |authors: &[Key<author::Entity>]| {
    ///     book::Entity::find()
    ///         .filter(book::Column::AuthorId.is_in(authors.iter().map(Key::value)))
    ///         .filter(book::Column::Hidden.eq(false))
    /// });
    /// # }
    /// ```
    pub fn with_query<F>(primary: C, producer: Producer, children: F) -> Self
    where
        F: Fn(&[Key<P>]) -> Select<Ch> + Send + Sync + 'static,
    {
        Self::build(primary, producer, Arc::new(move |parents| children(parents).distinct()))
    }

    pub(super) fn build(primary: C, producer: Producer, children: Children<P, Ch>) -> Self {
        let (decoder, meant) = (Decoder::columns(), Meant::of::<P>());
        Self { primary, producer, children, page_size: PAGE_SIZE, decoder, meant }
    }
}

impl<P: Streamed, Ch: Streamed, C> Cascade<P, Ch, C> {
    /// How many children are read and queued per page. Default: 1000. Zero counts as one.
    #[must_use]
    pub fn page_size(mut self, children: u64) -> Self {
        self.page_size = children.max(1);
        self
    }

    /// How to read a parent's key back from its payload; see [`Indexer::decode`](crate::Indexer::decode).
    #[must_use]
    pub fn decode(mut self, decode: impl Fn(Json) -> Result<KeyOf<P>, BoxError> + Send + Sync + 'static) -> Self {
        self.decoder = Decoder::by(move |payload| decode(payload).map(Some));
        self
    }
}

#[async_trait]
impl<P, Ch, C> Handler for Cascade<P, Ch, C>
where
    P: Streamed,
    Ch: Streamed,
    C: ConnectionTrait + Send + Sync + 'static,
{
    /// A payload that holds no key of `P` becomes a dead letter.
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        self.meant.compare(&batch);
        let named = BatchKeys::in_batch(&batch, &self.decoder)?;
        named.count_passed_over(&batch);
        let mut queued = 0;
        for parents in named.keys().chunks(keys_a_statement::<P>()) {
            queued += self.queue_children((self.children)(parents)).await?;
        }
        tracing::debug!(
            stream = %batch.stream(), consumer = batch.consumer(), parents = named.keys().len(), children = queued,
            "cascade queued"
        );
        Ok(())
    }

    /// The children's own consumers are.
    fn is_to_be_filled(&self) -> bool {
        false
    }
}

impl<P, Ch, C> Cascade<P, Ch, C>
where
    P: Streamed,
    Ch: Streamed,
    C: ConnectionTrait,
{
    /// Queues page after page, each acknowledged before the next is read. Returns the number of children.
    async fn queue_children(&self, mut children: Select<Ch>) -> Result<usize, HandlerError> {
        QueryTrait::query(&mut children).clear_order_by();
        let order = KeyOrder::of::<Ch>(&self.primary).await?;
        let (mut queued, mut after) = (0, None);
        loop {
            let page = order.sorted(next_keys(children.clone(), after.as_ref(), self.page_size), &Order::Asc);
            let keys = keys_of(page, &self.primary).await?;
            self.producer.queue_all(&messages(&keys)?).await?;
            queued += keys.len();
            if (keys.len() as u64) < self.page_size {
                return Ok(queued);
            }
            after = keys.into_iter().next_back();
        }
    }
}

impl<P, Ch: EntityTrait, C> fmt::Debug for Cascade<P, Ch, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cascade").field("page_size", &self.page_size).finish_non_exhaustive()
    }
}
