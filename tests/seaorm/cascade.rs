//! Cascades: what changes of one entity mean for another.

mod footnote;
mod parents;

use std::sync::{Arc, Mutex};

use redstream_core::{ConnectOptions, NewMessage, Payload, Redstream};
use redstream_seaorm::testing::run_until_idle;
use redstream_seaorm::{Batch, Cascade, Key, Progress, StreamName};
use sea_orm::{ColumnTrait, EntityTrait, ModelTrait, QueryFilter, Set};
use serde_json::json;

use super::library::{Counting, author, book, fill, place, shelf};
use super::world::{GIVE_UP, World, id, ids};
use crate::support::{namespace, private_redis};

/// The keys of an integer column in a stream, sorted.
async fn keys(world: &World, stream: &str) -> Vec<i64> {
    let mut keys: Vec<_> = world.payloads(stream).await.iter().map(|payload| payload["id"].as_i64().unwrap()).collect();
    keys.sort_unstable();
    keys
}

async fn announce(world: &World, stream: &str, keys: impl IntoIterator<Item = i64>) {
    let stream = StreamName::new(stream).unwrap();
    let message = |key| NewMessage::new(stream.clone(), Payload::encode(&id(key)).unwrap());
    let messages: Vec<_> = keys.into_iter().map(message).collect();
    world.redstream.producer().queue_all(&messages).await.unwrap();
}

/// A shelf 1 with shelf 2 in it and shelf 3 in that; book 1001 stands on 1 and 2, book 1002 on 2.
async fn furnish(world: &World) {
    world.create(shelf::Entity).await;
    world.create(place::Entity).await;
    for (id, within) in [(1, None), (2, Some(1)), (3, Some(2))] {
        let shelf = shelf::ActiveModel { id: Set(id), within: Set(within) };
        shelf::Entity::insert(shelf).exec_without_returning(&world.plain).await.unwrap();
    }
    for (book_id, shelf_id) in [(1001, 1), (1001, 2), (1002, 2)] {
        let place = place::ActiveModel { book_id: Set(book_id), shelf_id: Set(shelf_id) };
        place::Entity::insert(place).exec_without_returning(&world.plain).await.unwrap();
    }
}

on_each_database! {
    async fn changed_authors_become_messages_of_all_their_books_page_by_page(db: TestDb) {
        let world = World::new(&db).await;
        fill(&world, 3, 10).await;
        let counting = Counting::new(world.plain.clone());
        let cascade = Cascade::<author::Entity, book::Entity, _>::new(counting.clone(), world.redstream.producer());
        let consumer = world.redstream.stream("authors").unwrap().consumer("books", cascade.page_size(7));
        announce(&world, "authors", [1, 3, 1]).await;
        assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(3));
        let expected: Vec<i64> = (1001..=1010).chain(3001..=3010).collect();
        assert_eq!(keys(&world, "books").await, expected);
        // 20 books: 7, 7, 6.
        assert_eq!(counting.queries(), 3, "one query a page for all authors");
    }

    async fn a_deleted_authors_books_are_announced_too(db: TestDb) {
        let world = World::new(&db).await;
        fill(&world, 2, 2).await;
        let row = author::Entity::find_by_id(1).one(&world.plain).await.unwrap().unwrap();
        row.delete(&world.db).await.unwrap();
        let cascade = Cascade::<author::Entity, book::Entity, _>::new(world.plain.clone(), world.redstream.producer());
        world.redstream.stream("authors").unwrap().consumer("books", cascade).run_once().await.unwrap();
        assert_eq!(keys(&world, "books").await, [1001, 1002]);
    }

    async fn a_query_of_ones_own_finds_the_children(db: TestDb) {
        let world = World::new(&db).await;
        fill(&world, 2, 3).await;
        let cascade = Cascade::with_query(
            world.plain.clone(),
            world.redstream.producer(),
            |authors: &[Key<author::Entity>]| {
                book::Entity::find()
                    .filter(book::Column::AuthorId.is_in(authors.iter().map(Key::value)))
                    .filter(book::Column::Title.ne("book 2002"))
            },
        );
        announce(&world, "authors", [2]).await;
        let consumer = world.redstream.stream("authors").unwrap().consumer("books", cascade.page_size(1));
        consumer.run_once().await.unwrap();
        assert_eq!(keys(&world, "books").await, [2001, 2003]);
    }

    async fn relations_of_every_kind_are_followed(db: TestDb) {
        let world = World::new(&db).await;
        fill(&world, 1, 3).await;
        furnish(&world).await;
        let (plain, producer) = (world.plain.clone(), world.redstream.producer());
        // Many to many: a book on two of the shelves is announced once.
        announce(&world, "shelves", [1, 2]).await;
        let books = Cascade::<shelf::Entity, book::Entity, _>::new(plain.clone(), producer.clone());
        world.redstream.stream("shelves").unwrap().consumer("books", books).run_once().await.unwrap();
        assert_eq!(keys(&world, "books").await, [1001, 1002]);
        // Towards the one: both books have one author.
        let authors = Cascade::<book::Entity, author::Entity, _>::new(plain, producer);
        world.redstream.stream("books").unwrap().consumer("authors", authors).run_once().await.unwrap();
        assert_eq!(keys(&world, "authors").await, [1]);
    }

    async fn a_tree_is_gone_down_to_its_leaves(db: TestDb) {
        let world = World::new(&db).await;
        fill(&world, 1, 2).await;
        furnish(&world).await;
        let inner = Cascade::<shelf::Entity, shelf::Entity, _>::new(world.plain.clone(), world.redstream.producer());
        announce(&world, "shelves", [1]).await;
        let consumer = world.redstream.stream("shelves").unwrap().consumer("inner", inner);
        assert_eq!(run_until_idle(&[&consumer]).await.unwrap().messages, 3);
        assert_eq!(world.payloads("shelves").await, ids([1, 2, 3]));
    }

    async fn an_author_without_books_is_no_failure_and_a_payload_without_key_is(db: TestDb) {
        let world = World::new(&db).await;
        fill(&world, 1, 0).await;
        let cascade = Cascade::<author::Entity, book::Entity, _>::new(world.plain.clone(), world.redstream.producer());
        let consumer = world.redstream.stream("authors").unwrap().consumer("books", cascade);
        announce(&world, "authors", [1]).await;
        assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(1));
        world.redstream.producer().queue(&StreamName::new("authors").unwrap(), &json!({ "no": 1 })).await.unwrap();
        consumer.run_once().await.unwrap_err();
        assert_eq!(keys(&world, "books").await, [0_i64; 0]);
    }
}

#[tokio::test]
async fn a_parents_batch_is_committed_only_when_its_childrens_messages_are_acknowledged() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    fill(&world, 1, 2).await;
    // The children's messages go to a Redis that dies.
    let mut other = private_redis().await;
    let options = ConnectOptions::new(other.url()).namespace(namespace()).give_up_after(GIVE_UP);
    let elsewhere = Redstream::connect(options).await.unwrap();
    let cascade = Cascade::<author::Entity, book::Entity, _>::new(world.plain.clone(), elsewhere.producer());
    let authors = world.redstream.stream("authors").unwrap();
    let consumer = authors.consumer("books", cascade);
    announce(&world, "authors", [1]).await;

    other.kill().unwrap();
    consumer.run_once().await.unwrap_err();
    assert_eq!(authors.lag("books").await.unwrap(), 1);

    other.restart().unwrap();
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(1));
    assert_eq!(elsewhere.stream("books").unwrap().len().await.unwrap(), 2);
}

#[tokio::test]
async fn the_childrens_documents_follow_their_parents() {
    let db = crate::support::TestDb::sqlite().await;
    let world = World::new(&db).await;
    fill(&world, 2, 2).await;
    let (authors, books) = (world.redstream.stream("authors").unwrap(), world.redstream.stream("books").unwrap());
    let cascade = Cascade::<author::Entity, book::Entity, _>::new(world.plain.clone(), world.redstream.producer());
    let cascade = authors.consumer("books", cascade);
    let handled = Arc::new(Mutex::new(Vec::new()));
    let indexer = books.consumer("search", {
        let handled = Arc::clone(&handled);
        move |batch: Batch| {
            let payloads: Vec<_> = batch.payloads::<serde_json::Value>().map(Result::unwrap).collect();
            handled.lock().unwrap().extend(payloads);
            async { Ok(()) }
        }
    });
    let renamed = author::ActiveModel { id: sea_orm::Unchanged(2), name: Set("renamed".to_owned()) };
    sea_orm::ActiveModelTrait::update(renamed, &world.db).await.unwrap();
    // The books' consumer comes first, and runs again when it has messages.
    run_until_idle(&[&indexer, &cascade]).await.unwrap();
    assert_eq!(*handled.lock().unwrap(), ids([2001, 2002]));
}
