//! What the hooks do outside a transaction, and what they refuse.

use redstream_seaorm::{Error, SaveInTransaction};
use sea_orm::{ActiveModelTrait, IntoActiveModel, ModelTrait, NotSet, Set, TransactionTrait};

use super::city::{self, named, renamed, with_key};
use super::world::{World, id, ids};

on_each_database! {
    async fn an_update_outside_a_transaction_is_insured_then_announced(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(100, "Rom").await;
        renamed(&city, "Rome").update(&world.db).await.unwrap();
        assert_eq!((world.delay().await, world.main().await), (ids([100]), ids([100])));
        assert_eq!(world.name(100).await.unwrap(), "Rome");
    }

    async fn a_delete_outside_a_transaction_is_insured_then_announced(db: TestDb) {
        let world = World::new(&db).await;
        world.existing(100, "Atlantis").await.delete(&world.db).await.unwrap();
        assert_eq!((world.delay().await, world.main().await), (ids([100]), ids([100])));
        assert_eq!(world.count().await, 0);
    }

    async fn an_insert_with_a_known_key_outside_a_transaction_is_insured_then_announced(db: TestDb) {
        let world = World::new(&db).await;
        with_key(100, "Rome").insert(&world.db).await.unwrap();
        assert_eq!((world.delay().await, world.main().await), (ids([100]), ids([100])));
        assert_eq!(world.name(100).await.unwrap(), "Rome");
    }

    async fn an_update_without_returning_outside_a_transaction_is_insured_then_announced(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(100, "Rom").await;
        renamed(&city, "Rome").update_without_returning(&world.db).await.unwrap();
        assert_eq!((world.delay().await, world.main().await), (ids([100]), ids([100])));
        assert_eq!(world.name(100).await.unwrap(), "Rome");
    }

    async fn an_insert_whose_key_the_database_generates_is_insured_then_announced(db: TestDb) {
        let world = World::new(&db).await;
        let rome = named("Rome").insert(&world.db).await.unwrap();
        assert_eq!((world.delay().await, world.main().await), (ids([rome.id]), ids([rome.id])));
        let oslo = named("Oslo").save(&world.db).await.unwrap().id.unwrap();
        assert_eq!((world.delay().await, world.main().await), (ids([rome.id, oslo]), ids([rome.id, oslo])));
        assert_eq!((world.count().await, world.name(oslo).await.unwrap()), (2, "Oslo".to_owned()));
    }

    async fn an_update_that_sets_nothing_says_nothing(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(100, "Rome").await;
        let unchanged = || city.clone().into_active_model();
        unchanged().update(&world.db).await.unwrap();
        unchanged().save(&world.db).await.unwrap();
        unchanged().update_without_returning(&world.db).await.unwrap();
        let txn = world.db.begin().await.unwrap();
        unchanged().update(&txn).await.unwrap();
        city::ActiveModel { id: Set(100), name: NotSet }.update(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(world.delay().await, ids([]));
        world.nothing_is_announced().await;
    }

    async fn saves_side_by_side_in_one_task_are_each_followed(db: TestDb) {
        let world = World::new(&db).await;
        let existing = world.existing(100, "Rom").await;
        let (rome, oslo, lima, known) = tokio::join!(
            renamed(&existing, "Rome").update(&world.db),
            named("Oslo").insert(&world.db),
            named("Lima").insert(&world.db),
            with_key(1000, "Kyiv").insert(&world.db),
        );
        let keys = [rome.unwrap().id, oslo.unwrap().id, lima.unwrap().id, known.unwrap().id];
        for key in keys {
            assert!(world.delay().await.contains(&id(key)), "{key}: {:?}", world.delay().await);
            assert!(world.main().await.contains(&id(key)), "{key}: {:?}", world.main().await);
        }
    }

    async fn saves_in_transactions_of_their_own(db: TestDb) {
        let world = World::new(&db).await;
        let city = named("Rom").insert_tx(&world.db).await.unwrap();
        let key = city.id;
        assert_eq!((world.delay().await, world.main().await), (ids([key]), ids([key])));
        assert_eq!(world.name(key).await.unwrap(), "Rom");

        renamed(&city, "Roma").update_tx(&world.db).await.unwrap();
        assert_eq!((world.delay().await, world.main().await), (ids([key; 2]), ids([key; 2])));
        assert_eq!(world.name(key).await.unwrap(), "Roma");

        let saved = renamed(&city, "Rome").save_tx(&world.db).await.unwrap();
        assert_eq!((world.delay().await, world.main().await), (ids([key; 3]), ids([key; 3])));
        assert_eq!(world.name(key).await.unwrap(), "Rome");

        let deleted = saved.delete_tx(&world.db).await.unwrap();
        assert_eq!(deleted.rows_affected, 1);
        assert_eq!((world.delay().await, world.main().await), (ids([key; 4]), ids([key; 4])));
        assert_eq!(world.count().await, 0);
    }

    async fn a_save_in_its_own_transaction_within_another_is_a_savepoint(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        let city = named("Rome").insert_tx(&txn).await.unwrap();
        assert_eq!(world.main().await, ids([]));
        txn.commit().await.unwrap();
        assert_eq!(world.main().await, [id(city.id)]);
    }

    async fn a_connection_that_is_not_streamed_is_refused_before_the_write(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(100, "Rome").await;
        let refused = async |outcome: Result<(), sea_orm::DbErr>| {
            let error = outcome.unwrap_err();
            assert_carries!(error, Error::Untracked { table } if table == "cities");
            assert!(error.to_string().contains("pass the StreamedConnection"), "{error}");
            assert_eq!((world.count().await, world.name(100).await.unwrap()), (1, "Rome".to_owned()));
        };
        let plain = &world.plain;
        refused(named("Oslo").insert(plain).await.map(drop)).await;
        refused(with_key(7, "Oslo").insert(plain).await.map(drop)).await;
        refused(renamed(&city, "Roma").update(plain).await.map(drop)).await;
        refused(renamed(&city, "Roma").save(plain).await.map(drop)).await;
        refused(renamed(&city, "Roma").update_without_returning(plain).await.map(drop)).await;
        refused(city.clone().delete(plain).await.map(drop)).await;
        refused(named("Oslo").insert_tx(plain).await.map(drop)).await;
        refused(named("Oslo").insert(world.db.inner()).await.map(drop)).await;
        let txn = plain.begin().await.unwrap();
        refused(named("Oslo").insert(&txn).await.map(drop)).await;
        refused(city.clone().delete(&txn).await.map(drop)).await;
        txn.commit().await.unwrap();
        let txn = world.db.begin().await.unwrap();
        refused(named("Oslo").insert(txn.inner()).await.map(drop)).await;
        txn.commit().await.unwrap();
        assert_eq!((world.count().await, world.delay().await), (1, ids([])));
    }

    async fn a_write_that_fails_outside_a_transaction_is_not_announced(db: TestDb) {
        let world = World::new(&db).await;
        world.existing(100, "Rome").await;
        with_key(100, "Oslo").insert(&world.db).await.unwrap_err();
        world.nothing_is_announced().await;
        assert_eq!(world.name(100).await.unwrap(), "Rome");
    }

    /// MariaDB replaces an auto-increment key of 0 by a generated one.
    async fn a_key_that_the_database_would_replace_counts_as_generated(db: TestDb) {
        let world = World::new(&db).await;
        let key = with_key(0, "Rome").insert(&world.db).await.unwrap().id;
        assert_eq!(key, i64::from(db.backend() == crate::support::Backend::MariaDb));
        assert_eq!((world.delay().await, world.main().await), (ids([key]), ids([key])));
    }
}
