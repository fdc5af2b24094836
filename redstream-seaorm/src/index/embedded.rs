//! What a document contains of other entities, and how their changes reach it.

use std::fmt;
use std::sync::Arc;

use redstream_core::{Consumer, Redstream, Result};
use sea_orm::sea_query::{
    ColumnName, ColumnRef, Condition, Expr, ExprTrait as _, TableName, TableRef, Value, ValueTuple,
};
use sea_orm::{ConnectionTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, Related, RelationDef, Select};

use crate::entity::key::Key;
use crate::entity::key_query::are_one_of;
use crate::entity::relation::{columns_of, is_the_key};
use crate::entity::streamed::{Streamed, table};
use crate::entity::streams::{EntityStream, EntityWorker, entity_stream};
use crate::index::cascade::{Cascade, Children};

/// Another entity `P` of which the documents of an entity contain data; see [`Documents`](crate::Documents).
pub struct Embedded<C> {
    /// The table of the entity whose documents contain it.
    pub(crate) document: String,
    /// The table of the embedded entity.
    pub(crate) of: String,
    pub(crate) follow: Follow<C>,
}

/// How a change of the embedded entity reaches the documents.
pub(crate) enum Follow<C> {
    /// A consumer of the embedded entity's stream queues the keys of the documents' rows.
    Cascade {
        /// Its name, such as `books-of-authors`.
        name: String,
        /// Whether it is SeaORM's relation, of which there is one, or a query.
        is_relation: bool,
        consumer: Box<MakeConsumer<C>>,
        /// The table between the two, if they are many to many: its writes must announce the documents' rows.
        link: Option<String>,
    },
    /// Its rows have the document's key: their writes must announce the document's row.
    Children,
    /// The relation leads neither from nor to a key.
    Unknown,
}

type MakeConsumer<C> = dyn Fn(&Redstream, &C, String) -> Result<Named> + Send + Sync;

/// A consumer, with its name, and the table and stream whose changes it reads.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) table: String,
    pub(crate) stream: EntityStream,
    pub(crate) worker: EntityWorker<Consumer>,
}

impl<C: ConnectionTrait + Clone + Send + Sync + 'static> Embedded<C> {
    /// The entity `P`, by SeaORM's relation from `E`, whose documents contain it: the relation by which the loader
    /// reads it.
    ///
    /// - `belongs_to` (a book's author): a consumer of the authors queues the keys of their books.
    /// - many to many (a book's categories): the same, through the link table. A link that comes or goes must announce
    ///   the book: `#[streamed(parents(book::Entity), parents_only)]` at the link's entity.
    /// - `has_many`, `has_one` (a book's reviews): the review itself must announce the book, so that its deletion does:
    ///   `#[streamed(parents(book::Entity))]` at the review.
    pub fn of<E: Streamed + Related<P>, P: Streamed>() -> Self {
        let (to, via) = (E::to(), <E as Related<P>>::via());
        let leads_to_key = is_the_key::<P>(&to.to_col);
        let follow = match via {
            Some(via) if leads_to_key => match LinkTable::of(&via) {
                Some(link) => {
                    let name = link.to_string();
                    cascade::<E, P, C>(Arc::new(move |keys| linked(keys, via.clone(), &link, &to)), true, Some(name))
                }
                None => Follow::Unknown,
            },
            None if is_the_key::<E>(&to.from_col) && !leads_to_key => Follow::Children,
            None if leads_to_key => match columns_of::<E>(&to.from_col) {
                Some(columns) => {
                    let of = move |keys: &[Key<P>]| {
                        let values = keys.iter().map(Key::values);
                        E::find().filter(are_one_of(&columns, values))
                    };
                    cascade::<E, P, C>(Arc::new(of), true, None)
                }
                None => Follow::Unknown,
            },
            _ => Follow::Unknown,
        };
        Self { document: table::<E>(), of: table::<P>(), follow }
    }

    /// The entity `P`, by a query of the rows of `E` whose documents contain these: for a relation over several tables.
    /// At most 5000 keys are given at once, or 400 if they have several columns.
    pub fn by<E: Streamed, P: Streamed>(rows: impl Fn(&[Key<P>]) -> Select<E> + Send + Sync + 'static) -> Self {
        let follow = cascade::<E, P, C>(Arc::new(move |keys| rows(keys).distinct()), false, None);
        Self { document: table::<E>(), of: table::<P>(), follow }
    }
}

fn cascade<E, P, C>(rows: Children<P, E>, is_relation: bool, link: Option<String>) -> Follow<C>
where
    E: Streamed,
    P: Streamed,
    C: ConnectionTrait + Clone + Send + Sync + 'static,
{
    let name = format!("{}-of-{}", table::<E>(), table::<P>());
    let consumer = move |redstream: &Redstream, db: &C, name: String| {
        let cascade = Cascade::build(db.clone(), redstream.producer(), rows.clone());
        let stream = entity_stream::<P>(redstream)?;
        let worker = stream.consumer(name.clone(), cascade);
        Ok(Named { name, table: table::<P>(), stream, worker })
    };
    Follow::Cascade { name, is_relation, consumer: Box::new(consumer), link }
}

/// The rows that the link table leads to these keys: by the link's columns alone, so that a row is found whose other
/// side is deleted and whose link still stands.
fn linked<E: EntityTrait, P: EntityTrait>(
    keys: &[Key<P>],
    via: RelationDef,
    link: &LinkTable,
    to: &RelationDef,
) -> Select<E> {
    let column = |nth: usize| {
        let column = to.from_col.iter().nth(nth).cloned();
        column.map(|column| Expr::col(ColumnRef::Column(ColumnName(Some(link.0.clone()), column))))
    };
    let mut any = Condition::any();
    if to.from_col.arity() == 1 {
        let values: Vec<Value> = keys.iter().flat_map(|key| key.values().clone()).collect();
        any = column(0).into_iter().fold(any, |any, column| any.add(column.is_in(values.clone())));
    } else {
        for values in keys.iter().map(|key| ValueTuple::clone(key.values())) {
            let each = values.into_iter().enumerate().filter_map(|(nth, value)| Some(column(nth)?.eq(value)));
            any = any.add(each.fold(Condition::all(), Condition::add));
        }
    }
    E::find().join(JoinType::InnerJoin, via).filter(any).distinct()
}

/// The table between two entities that are many to many.
struct LinkTable(TableName);

impl LinkTable {
    /// The one that this relation leads to; `None` if it is no plain table.
    fn of(via: &RelationDef) -> Option<Self> {
        match &via.to_tbl {
            TableRef::Table(name, None) => Some(Self(name.clone())),
            _ => None,
        }
    }
}

/// As [`table`].
impl fmt::Display for LinkTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TableName(schema, table) = &self.0;
        if let Some(schema) = schema {
            write!(f, "{}.", schema.1.inner())?;
        }
        f.write_str(&table.inner())
    }
}

impl<C> fmt::Debug for Embedded<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("document", &self.document).field("of", &self.of).finish_non_exhaustive()
    }
}
