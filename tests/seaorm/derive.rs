//! The derive: names, payloads, keys of every shape, custom hooks, and SeaORM's nested models.

pub(crate) mod entities;
mod shards;
mod watch;

use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, ModelTrait, Set, TransactionTrait};
use serde_json::json;

use self::entities::{author, badge, line, note, place};
use super::world::World;
use redstream_seaorm::{Error, Key, SaveInTransaction, Streamed};

on_each_database! {
    async fn a_stream_has_the_name_and_the_payload_it_was_given(db: TestDb) {
        let world = World::new(&db).await;
        world.create(place::Entity).await;
        let place = place::ActiveModel { id: Set(7), name: Set("Here".to_owned()) };
        place.insert(&world.db).await.unwrap().delete(&world.db).await.unwrap();
        let told = json!({ "kind": "place", "id": 7 });
        assert_eq!(world.payloads("all-places").await, [told.clone(), told.clone()]);
        assert_eq!(world.payloads("all-places.delay").await, [told.clone(), told]);
    }

    async fn a_composite_key_is_an_object_of_its_columns(db: TestDb) {
        let world = World::new(&db).await;
        world.create(line::Entity).await;
        let line = |order: i32, code: &str, amount: i32| line::ActiveModel {
            order_id: Set(order),
            code: Set(code.to_owned()),
            amount: Set(amount),
        };
        let txn = world.db.begin().await.unwrap();
        line(1, "a", 1).insert(&txn).await.unwrap();
        line(1, "b", 1).insert(&txn).await.unwrap();
        line(2, "a", 1).insert(&txn).await.unwrap();
        line(1, "b", 2).update(&txn).await.unwrap();
        txn.commit().await.unwrap();
        // Outside a transaction too: the key is known.
        line(2, "a", 9).update(&world.db).await.unwrap();
        line(2, "ü \"quoted\"", 9).insert(&world.db).await.unwrap();
        let key = |order: i32, code: &str| json!({ "order_id": order, "code": code });
        let told = [key(1, "a"), key(1, "b"), key(2, "a"), key(2, "a"), key(2, "ü \"quoted\"")];
        assert_eq!(world.payloads("lines").await, told);
        assert_eq!(world.payloads("lines.delay").await, told);
        assert_eq!(line::Entity::find().all(&world.plain).await.unwrap().len(), 4);
    }

    async fn a_key_that_the_model_itself_makes_needs_no_transaction(db: TestDb) {
        let world = World::new(&db).await;
        world.create(badge::Entity).await;
        let badge = badge::ActiveModel { owner: Set("Ann".to_owned()), ..Default::default() };
        let badge = badge.insert(&world.db).await.unwrap();
        assert_eq!(badge.id.len(), 32);
        let told = [json!({ "id": badge.id })];
        assert_eq!(world.payloads("badges").await, told);
        assert_eq!(world.payloads("badges.delay").await, told);
    }

    async fn hooks_of_ones_own_refuse_before_anything_is_insured(db: TestDb) {
        let world = World::new(&db).await;
        world.create(badge::Entity).await;
        let unowned = badge::ActiveModel { owner: Set(String::new()), ..Default::default() };
        assert_eq!(unowned.insert(&world.db).await.unwrap_err(), DbErr::Custom("a badge needs an owner".to_owned()));
        assert_eq!(world.payloads("badges.delay").await, Vec::<serde_json::Value>::new());
        let badge = badge::ActiveModel { owner: Set("Ann".to_owned()), ..Default::default() };
        assert_carries!(
            badge.insert(&world.plain).await.unwrap_err(),
            Error::Untracked { table } if table == "badges"
        );
        assert!(badge::Entity::find().all(&world.plain).await.unwrap().is_empty());
    }

    async fn a_nested_save_streams_each_record_it_writes(db: TestDb) {
        let world = World::new(&db).await;
        world.create(author::Entity).await;
        world.create(note::Entity).await;
        let author = author::ActiveModel::builder()
            .set_name("Ann")
            .add_note(note::ActiveModel::builder().set_text("one"))
            .add_note(note::ActiveModel::builder().set_text("two"))
            .save(&world.db)
            .await
            .unwrap();
        let author = author::Model { id: author.id.unwrap(), name: "Ann".to_owned() };
        let notes: Vec<_> = note::Entity::find().all(&world.plain).await.unwrap();
        let told: Vec<_> = notes.iter().map(|note| json!({ "id": note.id })).collect();
        assert_eq!(notes.len(), 2);
        assert_eq!(world.payloads("authors").await, [json!({ "id": author.id })]);
        assert_eq!(world.payloads("authors.delay").await, [json!({ "id": author.id })]);
        assert_eq!(world.payloads("notebook").await, told);
        assert_eq!(world.payloads("notebook.delay").await, told);

        // Outside a transaction, and in its plain form, it is a model like any other.
        let renamed = author::ActiveModel { id: Set(author.id), name: Set("Anne".to_owned()) };
        renamed.clone().update(&world.db).await.unwrap();
        renamed.update_tx(&world.db).await.unwrap();
        assert_eq!(world.payloads("authors").await.len(), 3);

        author.cascade_delete(&world.db).await.unwrap();
        assert_eq!(world.payloads("authors").await.len(), 4);
        assert_eq!(world.payloads("notebook").await[2..], told);
        assert_eq!(world.payloads("notebook.delay").await[2..], told);
        assert!(note::Entity::find().all(&world.plain).await.unwrap().is_empty());
    }
}

#[test]
fn a_key_goes_there_and_back() {
    let key = Key::<line::Entity>::new((1, "a".to_owned()));
    assert_eq!(key.value(), (1, "a".to_owned()));
    assert_eq!(key.to_json(), json!({ "order_id": 1, "code": "a" }));
    assert_eq!(Key::from_values(key.values().clone()), key);
    assert_eq!(Key::<note::Entity>::new(5).to_json(), json!({ "id": 5 }));
    assert_eq!(place::Entity::payload(&Key::new(7)), json!({ "kind": "place", "id": 7 }));
}

#[test]
fn a_stream_is_named_after_its_table_where_nothing_else_is_said() {
    assert_eq!(line::Entity::stream(), "lines");
    assert_eq!(author::Entity::stream(), "authors");
    assert_eq!(place::Entity::stream(), "all-places");
    assert_eq!(note::Entity::stream(), "notebook");
}
