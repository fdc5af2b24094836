//! A database that treats two spellings as one key: writes by one spelling of rows that have the other.

use redstream_seaorm::{Bulk, BulkExt, Insurance, Key, StreamName};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveModelTrait, ActiveValue, ColumnTrait, DbErr, EntityTrait, QueryFilter, TransactionTrait};

use super::{Written, index, names, town, towns};
use crate::seaorm::world::World;
use crate::support::{Backend, TestDb};

/// An update of the town by this spelling.
fn update_of(name: &str, size: i32) -> town::ActiveModel {
    town::ActiveModel { name: ActiveValue::Unchanged(name.to_owned()), size: ActiveValue::Set(size) }
}

on_each_database! {
    async fn an_update_by_another_spelling_announces_the_row_as_it_is(test: TestDb) {
        let world = World::of_towns(&test).await;
        world.town("Ada").await;
        update_of("ADA", 2).update(&world.db).await.unwrap();
        assert_eq!(world.payloads("towns").await, towns(&["Ada"]));
        assert_eq!(world.payloads("towns.delay").await, towns(&["ADA", "Ada"]), "both spellings are insured");
        let txn = world.db.begin().await.unwrap();
        update_of("aDA", 3).update_without_returning(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(world.payloads("towns").await, towns(&["Ada", "Ada"]));
        assert_eq!(index(&world).await, Written { upserts: names(&["Ada"]), ..Default::default() });
    }

    async fn a_delete_by_another_spelling_announces_the_row_as_it_was(test: TestDb) {
        let world = World::of_towns(&test).await;
        for name in ["Ada", "Bergen", "Ceuta"] {
            world.town(name).await;
        }
        town::Model { name: "ADA".to_owned(), size: 1 }.delete_by(&world.db).await;
        let txn = world.db.begin().await.unwrap();
        town::Model { name: "BERGEN".to_owned(), size: 1 }.delete_by(&txn).await;
        txn.commit().await.unwrap();
        assert_eq!(world.payloads("towns").await, towns(&["Ada", "Bergen"]));
        assert_eq!(world.town_names().await, ["Ceuta"]);
        assert_eq!(index(&world).await, Written { deletes: names(&["Ada", "Bergen"]), ..Default::default() });
    }

    async fn outbox_rows_are_of_the_key_that_the_database_has(test: TestDb) {
        let world = World::of_towns(&test).await;
        redstream_seaorm::outbox::create_table(&world.plain).await.unwrap();
        let db = world.db.to_builder().insurance(Insurance::Outbox).build();
        world.town("Ada").await;
        world.town("Bergen").await;
        update_of("ADA", 2).update(&db).await.unwrap();
        town::Model { name: "BERGEN".to_owned(), size: 1 }.delete_by(&db).await;
        assert!(db.relay().run_once().await.unwrap() >= 2);
        let written = index(&world).await;
        assert_eq!(written.upserts, ["Ada"]);
        assert!(written.deletes.contains(&"Bergen".to_owned()), "{written:?}");
        assert!(!written.deletes.iter().any(|name| name.eq_ignore_ascii_case("ada")), "{written:?}");
    }

    async fn a_message_by_another_spelling_deletes_no_living_record(test: TestDb) {
        let world = World::of_towns(&test).await;
        world.town("Ada").await;
        for name in ["ADA", "Ada", "ada", "Nowhere"] {
            world.redstream.producer().queue(&StreamName::new("towns").unwrap(), &serde_json::json!({ "name": name })).await.unwrap();
        }
        let written = index(&world).await;
        assert_eq!(written.upserts, ["Ada"]);
        assert_eq!(written.deletes, ["Nowhere"]);
        assert_eq!(written.respelled, names(&["ADA", "ada"]));
    }

    async fn a_row_that_is_renamed_to_another_spelling_is_announced_by_both(test: TestDb) {
        let world = World::of_towns(&test).await;
        world.town("Ada").await;
        let keys = ["Ada", "ada"].map(|name| Key::<town::Entity>::new(name.to_owned()));
        let rename = async |txn: &_| {
            let all = town::Entity::update_many().col_expr(town::Column::Name, Expr::value("ada"));
            all.filter(town::Column::Name.eq("Ada")).exec(txn).await
        };
        world.db.producer().bulk_keys(&world.db, keys, rename).await.unwrap();
        assert_eq!(world.payloads("towns").await, towns(&["Ada", "ada"]));
        let written = index(&world).await;
        assert_eq!((written.upserts, written.respelled), (names(&["ada"]), names(&["Ada"])));
        assert_eq!(written.deletes, names(&[]));
    }

    async fn bulk_operations_announce_rows_as_they_are(test: TestDb) {
        let world = World::of_towns(&test).await;
        for name in ["Ada", "Bergen", "Ceuta"] {
            world.town(name).await;
        }
        let these = || Bulk::<town::Entity>::new().filter(town::Column::Name.is_in(["ADA", "BERGEN"]));
        let set = |update: sea_orm::UpdateMany<_>| update.col_expr(town::Column::Size, Expr::value(5));
        assert_eq!(these().update_many(&world.db, set).await.unwrap(), 2);
        assert_eq!(world.payloads("towns").await, towns(&["Ada", "Bergen"]));
        let records = ["CEUTA", "ada"].map(|name| town::Model { name: name.to_owned(), size: 1 });
        let delete = async |txn: &_| {
            town::Entity::delete_many().filter(town::Column::Name.is_in(["CEUTA", "ada"])).exec(txn).await
        };
        let deleted: Result<_, DbErr> = world.db.producer().bulk(&world.db, &records, delete).await;
        assert_eq!(deleted.unwrap().rows_affected, 2);
        assert_eq!(world.payloads("towns").await, towns(&["Ada", "Bergen", "Ceuta", "Ada"]));
        let upsert = OnConflict::column(town::Column::Name).update_column(town::Column::Size).to_owned();
        let written = Bulk::<town::Entity>::new().upsert_many(&world.db, [town::of("BERGEN", 9), town::of("Dover", 1)], upsert);
        assert_eq!(written.await.unwrap(), 2);
        assert_eq!(world.payloads("towns").await[4..], towns(&["Bergen", "Dover"]));
        let written = index(&world).await;
        assert_eq!(written, Written { upserts: names(&["Bergen", "Dover"]), deletes: names(&["Ada", "Ceuta"]), ..Default::default() });
    }
}

impl town::Model {
    /// Deletes the row that the database finds by this record's key.
    async fn delete_by<C: sea_orm::ConnectionTrait>(self, db: &C) {
        let deleted = sea_orm::ModelTrait::delete(self, db).await.unwrap();
        assert_eq!(deleted.rows_affected, 1);
    }
}

/// A text that is bound as a parameter is compared with `citext` as text; the indexer compares by the column's own
/// type.
#[tokio::test]
async fn a_citext_key_that_is_spelled_otherwise_deletes_no_living_record() {
    let test = TestDb::new(Backend::Postgres).await;
    let world = World::new(&test).await;
    world.run("CREATE EXTENSION citext; CREATE TABLE towns (name CITEXT PRIMARY KEY, size INT NOT NULL)").await;
    world.town("Ada").await;
    for name in ["ADA", "Nowhere"] {
        let payload = serde_json::json!({ "name": name });
        world.redstream.producer().queue(&StreamName::new("towns").unwrap(), &payload).await.unwrap();
    }
    let written = index(&world).await;
    assert_eq!(written, Written { upserts: names(&["Ada"]), deletes: names(&["Nowhere"]), respelled: names(&["ADA"]) });
}
