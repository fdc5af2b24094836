//! The classic form: `producer.bulk(&db, &records, async |txn| …)`.

use redstream_seaorm::{BulkExt, Key, SaveInTransaction};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ModelTrait, QueryFilter, TransactionTrait};
use serde_json::json;

use super::{NONE, line, sorted, world_of};
use crate::seaorm::city;
use crate::seaorm::world::{World, id, ids};
use crate::support::*;

on_each_database! {
    async fn an_update_is_insured_before_its_commit_and_announced_after_it(test: TestDb) {
        let world = world_of(&test, 5).await;
        let found = city::Entity::find().filter(city::Column::Id.gt(2)).all(&world.db).await.unwrap();
        let updated = world.db.producer().bulk(&world.db, &found, async |txn| {
            let updated = city::Entity::update_many()
                .col_expr(city::Column::Name, Expr::value("new"))
                .filter(city::Column::Id.gt(2))
                .exec(txn)
                .await?;
            world.insured(&ids(3..=5)).await;
            assert_eq!(world.keys_of("new").await, NONE, "not committed yet");
            assert_eq!(world.main().await, ids([]), "not announced yet");
            Ok::<_, DbErr>(updated.rows_affected)
        });
        assert_eq!(updated.await.unwrap(), 3);
        assert_eq!(world.keys_of("new").await, [3, 4, 5]);
        assert_eq!(world.main().await, ids(3..=5));
        assert_eq!(world.delay().await, ids(3..=5));
    }

    async fn a_connection_and_a_transaction_have_the_same_methods(test: TestDb) {
        let world = world_of(&test, 4).await;
        let found = city::Entity::find().filter(city::Column::Id.lte(2)).all(&world.db).await.unwrap();
        let rename = || city::Entity::update_many().col_expr(city::Column::Name, Expr::value("new"));
        let first = rename().filter(city::Column::Id.lte(2));
        world.db.bulk(&found, async |txn| first.exec(txn).await).await.unwrap();
        assert_eq!(world.main().await, ids(1..=2));
        let txn = world.db.begin().await.unwrap();
        let third = rename().filter(city::Column::Id.eq(3));
        txn.bulk_keys([Key::<city::Entity>::new(3)], async |txn| third.exec(txn).await).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(world.main().await, ids(1..=3));
        assert_eq!(world.keys_of("new").await, [1, 2, 3]);
    }

    async fn a_delete_is_announced(test: TestDb) {
        let world = world_of(&test, 4).await;
        let found = city::Entity::find().filter(city::Column::Id.lte(3)).all(&world.db).await.unwrap();
        let deleted = world.db.producer().bulk(&world.db, &found, async |txn| {
            city::Entity::delete_many().filter(city::Column::Id.lte(3)).exec(txn).await
        });
        assert_eq!(deleted.await.unwrap().rows_affected, 3);
        assert_eq!(world.keys_of("old").await, [4]);
        assert_eq!(world.delay().await, ids(1..=3));
        assert_eq!(world.main().await, ids(1..=3));
    }

    async fn keys_do_without_their_models(test: TestDb) {
        let world = world_of(&test, 4).await;
        let keys = [2, 3].map(Key::<city::Entity>::new);
        let written = world.db.producer().bulk_keys(&world.db, keys, async |txn| {
            txn.execute_unprepared("UPDATE cities SET name = 'new' WHERE id IN (2, 3)").await
        });
        assert_eq!(written.await.unwrap().rows_affected(), 2);
        assert_eq!(world.keys_of("new").await, [2, 3]);
        assert_eq!(world.main().await, ids([2, 3]));
    }

    async fn keys_of_several_columns_are_announced(test: TestDb) {
        let world = World::new(&test).await;
        let lines = line::fill(&world, 4).await;
        let found = line::Entity::find().all(&world.db).await.unwrap();
        let deleted = world.db.producer().bulk(&world.db, &found, async |txn| {
            line::Entity::delete_many().exec(txn).await
        });
        assert_eq!(deleted.await.unwrap().rows_affected, 12);
        assert_eq!(sorted(world.payloads("order_lines.delay").await), sorted(lines.clone()));
        assert_eq!(sorted(world.payloads("order_lines").await), sorted(lines));
    }

    async fn what_the_hooks_announce_too_is_announced_once(test: TestDb) {
        let world = world_of(&test, 3).await;
        let found = city::Entity::find().all(&world.db).await.unwrap();
        let written: Result<(), DbErr> = world.db.producer().bulk(&world.db, &found[..2], async |txn| {
            for city in &found {
                city::renamed(city, "new").update_tx(txn).await?;
            }
            Ok(())
        }).await;
        written.unwrap();
        assert_eq!(world.keys_of("new").await, [1, 2, 3]);
        assert_eq!(world.delay().await, ids(1..=3));
        world.nothing_is_announced_but(1..=3).await;
    }

    async fn no_records_are_no_reason_not_to_run_the_closure(test: TestDb) {
        let world = world_of(&test, 1).await;
        let none: [city::Model; 0] = [];
        let written = world.db.producer().bulk(&world.db, &none, async |txn| {
            city::Entity::insert(city::with_key(7, "Ulm")).exec_without_returning(txn).await
        });
        assert_eq!(written.await.unwrap(), 1);
        assert_eq!(world.name(7).await.as_deref(), Some("Ulm"));
        assert_eq!(world.delay().await, ids([]));
        world.nothing_is_announced().await;
    }

    async fn it_can_run_in_a_task_of_its_own(test: TestDb) {
        let world = world_of(&test, 3).await;
        let (db, producer) = (world.db.clone(), world.redstream.producer());
        let running = tokio::spawn(async move {
            let found = city::Entity::find().all(&db).await?;
            let name = "new".to_owned();
            producer.bulk(&db, &found, async |txn| {
                let keys = found.iter().map(|city| city.id);
                let update = city::Entity::update_many().col_expr(city::Column::Name, Expr::value(&name));
                update.filter(city::Column::Id.is_in(keys)).exec(txn).await
            }).await?;
            let keys = found.iter().map(|city| Key::<city::Entity>::from_values(city.get_primary_key_value()));
            producer.bulk_keys(&db, keys, async |txn| city::Entity::delete_by_id(1).exec(txn).await).await
        });
        assert_eq!(running.await.unwrap().unwrap().rows_affected, 1);
        assert_eq!(world.keys_of("new").await, [2, 3]);
        assert_eq!(world.main().await, [ids(1..=3), ids(1..=3)].concat());
    }

    async fn it_may_read_first_while_others_write(test: TestDb) {
        let world = world_of(&test, 20).await;
        let one = async |key: i64| {
            let record = [world.row(key).await.unwrap()];
            world.db.producer().bulk(&world.db, &record, async |txn| {
                let city = city::Entity::find_by_id(key).one(txn).await?.expect("it is there");
                let update = city::Entity::update_many().col_expr(city::Column::Name, Expr::value(city.name + "er"));
                update.filter(city::Column::Id.eq(key)).exec(txn).await
            }).await
        };
        let all = futures_util::future::join_all((1..=20).map(one)).await;
        assert_eq!(all.into_iter().map(|updated| updated.unwrap().rows_affected).sum::<u64>(), 20);
        assert_eq!(world.keys_of("older").await, (1..=20).collect::<Vec<i64>>());
    }
}

#[tokio::test]
async fn the_closure_may_have_an_error_type_of_its_own() {
    #[derive(Debug)]
    enum Failure {
        Database(DbErr),
        TooMany(u64),
    }
    impl From<DbErr> for Failure {
        fn from(error: DbErr) -> Self {
            Self::Database(error)
        }
    }
    let test = TestDb::sqlite().await;
    let world = world_of(&test, 3).await;
    let found = city::Entity::find().all(&world.db).await.unwrap();
    let refused = world.db.producer().bulk(&world.db, &found, async |txn| {
        let deleted = city::Entity::delete_many().exec(txn).await?.rows_affected;
        if deleted > 2 { Err(Failure::TooMany(deleted)) } else { Ok(()) }
    });
    match refused.await {
        Err(Failure::TooMany(deleted)) => assert_eq!(deleted, 3),
        Err(Failure::Database(error)) => panic!("{error}"),
        Ok(()) => panic!("it was to be refused"),
    }
    assert_eq!(world.keys_of("old").await, [1, 2, 3]);
    world.nothing_is_announced().await;
}

#[tokio::test]
async fn payloads_are_those_of_the_hooks() {
    let test = TestDb::sqlite().await;
    let world = world_of(&test, 1).await;
    let city = world.row(1).await.unwrap();
    city::renamed(&city, "new").update_tx(&world.db).await.unwrap();
    let gone = [city];
    let deleted = world.db.producer().bulk(&world.db, &gone, async |txn| city::Entity::delete_by_id(1).exec(txn).await);
    deleted.await.unwrap();
    assert_eq!(world.main().await, [id(1), json!({ "id": 1 })]);
}
