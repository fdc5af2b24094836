//! Loaders: what a sink is given for a key, and by how many queries.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use redstream_core::{NewMessage, Payload};
use redstream_seaorm::{Changes, HandlerError, Indexer, Key, Progress, Sink, StreamName, find_by_keys};
use sea_orm::{ColumnTrait, EntityTrait, LoaderTrait, QueryFilter};
use serde_json::{Value, json};

use super::super::library::{Counting, author, book, fill};
use super::super::world::World;

/// An entity with a payload of its own.
mod place {
    use redstream_seaorm::{Key, Streamed};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "landmarks")]
    #[streamed(payload = told)]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: i32,
        pub(super) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    fn told(key: &Key<Entity>) -> Json {
        serde_json::json!({ "kind": "place", "id": key.value() })
    }
}

/// Authors, by key, with the titles of their books.
#[derive(Clone, Default)]
struct Authors(Arc<Mutex<BTreeMap<i64, Vec<String>>>>);

struct Document {
    id: i64,
    titles: Vec<String>,
}

impl Sink<author::Entity, Document> for Authors {
    async fn write(&self, changes: Changes<author::Entity, Document>) -> Result<(), HandlerError> {
        let mut documents = self.0.lock().unwrap();
        documents.extend(changes.upserts.into_iter().map(|(_, Document { id, titles })| (id, titles)));
        changes.deletes.iter().for_each(|key| _ = documents.remove(&key.value()));
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Names(Arc<Mutex<Vec<String>>>);

impl Sink<author::Entity> for Names {
    async fn write(&self, changes: Changes<author::Entity>) -> Result<(), HandlerError> {
        self.0.lock().unwrap().extend(changes.upserts.into_iter().map(|(_, author)| author.name));
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Places(Arc<Mutex<Vec<i32>>>);

impl Sink<place::Entity> for Places {
    async fn write(&self, changes: Changes<place::Entity>) -> Result<(), HandlerError> {
        self.0.lock().unwrap().extend(changes.upserts.into_iter().map(|(_, place)| place.id));
        Ok(())
    }
}

/// Two queries.
async fn with_titles(
    db: Counting,
    keys: Vec<Key<author::Entity>>,
) -> Result<Vec<(Key<author::Entity>, Document)>, HandlerError> {
    let authors = find_by_keys(author::Entity, &keys, &db).await?;
    let books = authors.load_many(book::Entity, &db).await?;
    let document = |(author, books): (author::Model, Vec<book::Model>)| {
        let titles = books.into_iter().map(|book| book.title).collect();
        (Key::of(&author), Document { id: author.id, titles })
    };
    Ok(authors.into_iter().zip(books).map(document).collect())
}

async fn announce(world: &World, stream: &str, payloads: impl IntoIterator<Item = Value>) {
    let stream = StreamName::new(stream).unwrap();
    let messages: Vec<_> = payloads
        .into_iter()
        .map(|payload| NewMessage::new(stream.clone(), Payload::encode(&payload).unwrap()))
        .collect();
    world.redstream.producer().queue_all(&messages).await.unwrap();
}

on_each_database! {
    async fn an_author_comes_with_books_in_two_queries_whatever_the_batchs_size(db: TestDb) {
        let world = World::new(&db).await;
        fill(&world, 600, 2).await;
        let (counting, store) = (Counting::new(world.plain.clone()), Authors::default());
        let authors = world.redstream.stream("authors").unwrap();
        let consumer = authors.consumer("search", Indexer::with_loader(counting.clone(), with_titles, store.clone()));
        for size in [1_u16, 20, 600] {
            announce(&world, "authors", (1..=size).map(|id| json!({ "id": id }))).await;
            assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(size.into()));
            assert_eq!(counting.queries(), 2, "for {size} authors");
            assert_eq!(store.0.lock().unwrap().len(), usize::from(size));
        }
        assert_eq!(store.0.lock().unwrap()[&7], ["book 7001", "book 7002"]);
    }

    async fn rows_come_in_one_query(db: TestDb) {
        let world = World::new(&db).await;
        fill(&world, 600, 0).await;
        let (counting, names) = (Counting::new(world.plain.clone()), Names::default());
        announce(&world, "authors", (1..=600).map(|id| json!({ "id": id }))).await;
        let authors = world.redstream.stream("authors").unwrap();
        authors.consumer("search", Indexer::new(counting.clone(), names.clone())).run_once().await.unwrap();
        assert_eq!((names.0.lock().unwrap().len(), counting.queries()), (600, 1));
    }

    async fn what_a_loader_leaves_out_counts_as_deleted(db: TestDb) {
        let world = World::new(&db).await;
        fill(&world, 3, 0).await;
        let store = Authors::default();
        store.0.lock().unwrap().insert(2, vec!["hidden by now".to_owned()]);
        let visible = async |db: Counting, keys: Vec<Key<author::Entity>>| {
            let select = author::Entity::find().filter(author::Column::Name.ne("author 2"));
            let rows = find_by_keys(select, &keys, &db).await?;
            Ok(rows.iter().map(|row| (Key::of(row), Document { id: row.id, titles: Vec::new() })).collect())
        };
        announce(&world, "authors", (1..=3).map(|id| json!({ "id": id }))).await;
        let indexer = Indexer::with_loader(Counting::new(world.plain.clone()), visible, store.clone());
        world.redstream.stream("authors").unwrap().consumer("search", indexer).run_once().await.unwrap();
        assert_eq!(store.0.lock().unwrap().keys().copied().collect::<Vec<_>>(), [1, 3]);
    }

    async fn keys_are_read_back_from_payloads_of_ones_own(db: TestDb) {
        let world = World::new(&db).await;
        world.create(place::Entity).await;
        for id in [7, 8] {
            let place = place::ActiveModel { id: sea_orm::Set(id), name: sea_orm::Set(format!("place {id}")) };
            sea_orm::ActiveModelTrait::insert(place, &world.db).await.unwrap();
        }
        let places = Places::default();
        let indexer = Indexer::new(world.plain.clone(), places.clone()).decode(|payload| {
            if payload["kind"] != "place" {
                return Err("it is no place".into());
            }
            Ok(serde_json::from_value(payload["id"].clone())?)
        });
        let consumer = world.redstream.stream("landmarks").unwrap().consumer("search", indexer);
        assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(2));
        places.0.lock().unwrap().sort_unstable();
        assert_eq!(*places.0.lock().unwrap(), [7, 8]);

        announce(&world, "landmarks", [json!({ "kind": "person", "id": 7 })]).await;
        let error = consumer.run_once().await.unwrap_err();
        assert!(matches!(error, redstream_core::Error::Handler { .. }), "{error:?}");
        let cause = std::error::Error::source(&error).unwrap();
        assert!(std::error::Error::source(cause).unwrap().to_string().contains("it is no place"), "{cause:?}");
    }
}
