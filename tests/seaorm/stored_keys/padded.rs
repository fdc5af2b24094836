//! Keys of the type `char(n)`: PostgreSQL returns them with blanks at their end.

use redstream_seaorm::{Bulk, BulkExt, StreamName};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, ModelTrait, QueryFilter, TransactionTrait};

use super::{Written, index, names, town, towns};
use crate::seaorm::world::World;
use crate::support::*;

/// Towns whose names have five places.
async fn of_five(test: &TestDb) -> World {
    let world = World::new(test).await;
    world.run("CREATE TABLE towns (name CHAR(5) PRIMARY KEY, size INT NOT NULL)").await;
    world
}

/// As the database returns it.
fn stored(test: &TestDb, name: &str) -> String {
    if test.backend() == Backend::Postgres { format!("{name:<5}") } else { name.to_owned() }
}

on_each_database! {
    async fn a_padded_key_finds_its_row(test: TestDb) {
        let world = of_five(&test).await;
        let (ab, cd) = (stored(&test, "ab"), stored(&test, "cd"));
        town::of("ab", 1).insert(&world.db).await.unwrap();
        let txn = world.db.begin().await.unwrap();
        town::of("cd", 1).insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(world.payloads("towns").await, towns(&[&ab, &cd]));
        let set = |update: sea_orm::UpdateMany<_>| update.col_expr(town::Column::Size, Expr::value(2));
        assert_eq!(Bulk::<town::Entity>::new().batch_size(1).update_many(&world.db, set).await.unwrap(), 2);
        assert_eq!(world.payloads("towns").await[2..], towns(&[&ab, &cd]));
        assert_eq!(index(&world).await, Written { upserts: names(&[&ab, &cd]), ..Default::default() });
    }

    async fn what_was_insured_unpadded_finds_it_too(test: TestDb) {
        let world = of_five(&test).await;
        town::of("ab", 1).insert(&world.db).await.unwrap();
        for name in ["ab", "ab ", "xy"] {
            world.redstream.producer().queue(&StreamName::new("towns").unwrap(), &serde_json::json!({ "name": name })).await.unwrap();
        }
        let written = index(&world).await;
        // SQLite has the type and does not pad.
        let gone = if test.backend() == Backend::Sqlite { names(&["ab ", "xy"]) } else { names(&["xy"]) };
        assert_eq!((written.upserts, written.deletes), (names(&[&stored(&test, "ab")]), gone));
    }

    async fn a_loaded_record_can_be_written_and_deleted_by_bulk_operations(test: TestDb) {
        let world = of_five(&test).await;
        for name in ["ab", "cd", "efghi"] {
            world.town(name).await;
        }
        let all = town::Entity::find().all(&world.db).await.unwrap();
        let delete = async |txn: &_| town::Entity::delete_many().filter(town::Column::Name.ne("efghi")).exec(txn).await;
        assert_eq!(world.db.producer().bulk(&world.db, &all, delete).await.unwrap().rows_affected, 2);
        assert_eq!(Bulk::<town::Entity>::new().delete_many(&world.db).await.unwrap(), 1);
        let written = index(&world).await;
        assert_eq!(written.deletes, names(&[&stored(&test, "ab"), &stored(&test, "cd"), "efghi"]));
    }

    async fn texts_that_differ_by_blanks_alone_stay_two_records(test: TestDb) {
        let world = World::new(&test).await;
        let binary = if test.backend() == Backend::MariaDb { "VARCHAR(20) COLLATE utf8mb4_nopad_bin" } else { "TEXT" };
        world.run(&format!("CREATE TABLE towns (name {binary} PRIMARY KEY, size INT NOT NULL)")).await;
        world.town("ab").await;
        world.town("ab   ").await;
        let padded = town::Entity::find().filter(town::Column::Name.eq("ab   ")).one(&world.db).await.unwrap().unwrap();
        padded.delete(&world.db).await.unwrap();
        assert_eq!(world.town_names().await, ["ab"]);
        assert_eq!(index(&world).await, Written { deletes: names(&["ab   "]), ..Default::default() });
    }
}
