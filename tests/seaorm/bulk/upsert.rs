//! Inserts that update existing rows: `Bulk::<Entity>::new().upsert_many(&db, models, on_conflict)`.

use redstream_seaorm::{Bulk, BulkError};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue, EntityTrait, TransactionTrait};
use serde_json::{Value, json};

use super::account::{self, Column, Entity, account, with_key};
use super::{line, sorted};
use crate::seaorm::world::World;
use crate::support::*;

fn told(keys: impl IntoIterator<Item = i32>) -> Vec<Value> {
    keys.into_iter().map(|id| json!({ "id": id })).collect()
}

fn row(id: i32, email: &str, visits: i32) -> (i32, String, i32) {
    (id, email.to_owned(), visits)
}

fn on(target: Column, update: impl IntoIterator<Item = Column>) -> OnConflict {
    OnConflict::column(target).update_columns(update).to_owned()
}

impl World {
    async fn told_of_accounts(&self) -> Vec<Value> {
        sorted(self.payloads("accounts").await)
    }

    async fn insured_accounts(&self) -> Vec<Value> {
        sorted(self.payloads("accounts.delay").await)
    }
}

on_each_database! {
    async fn rows_of_the_models_keys_are_inserted_or_updated_and_announced(test: TestDb) {
        let world = World::new(&test).await.with_accounts().await;
        let accounts = [with_key(2, "bob", 2), with_key(3, "cem", 3), with_key(4, "dee", 4)];
        let bulk = Bulk::<Entity>::new().batch_size(2);
        let written = bulk.upsert_many(&world.db, accounts, on(Column::Id, [Column::Email, Column::Visits])).await;
        assert_eq!(written.unwrap(), 3);
        assert_eq!(world.accounts().await, [row(1, "ann", 1), row(2, "bob", 2), row(3, "cem", 3), row(4, "dee", 4)]);
        assert_eq!(world.told_of_accounts().await, told(2..=4));
        assert_eq!(world.insured_accounts().await, told(2..=4));
    }

    async fn with_returning_a_row_of_another_key_is_announced(test: TestDb) {
        let world = World::new(&test).await.with_accounts().await;
        let db = world.returning(true);
        let accounts = [account("bob", 5), with_key(7, "ann", 6), with_key(9, "eve", 1)];
        let written = Bulk::<Entity>::new().upsert_many(&db, accounts, on(Column::Email, [Column::Visits])).await;
        assert_eq!(written.unwrap(), 3);
        assert_eq!(world.accounts().await, [row(1, "ann", 6), row(2, "bob", 5), row(9, "eve", 1)]);
        assert_eq!(world.told_of_accounts().await, told([1, 2, 9]));
        assert_eq!(world.insured_accounts().await, told([1, 2, 9]));
    }

    async fn a_conflict_may_be_ignored(test: TestDb) {
        let world = World::new(&test).await.with_accounts().await;
        for nothing in [
            OnConflict::column(Column::Email).do_nothing().to_owned(),
            OnConflict::new().do_nothing().to_owned(),
        ] {
            let accounts = [account("ann", 9), account("cem", 3)];
            Bulk::<Entity>::new().upsert_many(&world.db, accounts, nothing).await.unwrap();
            let accounts = world.accounts().await;
            assert_eq!(accounts.len(), 3);
            assert_eq!(accounts[..2], [row(1, "ann", 1), row(2, "bob", 1)]);
            let cem = accounts[2].0;
            assert!(world.told_of_accounts().await.contains(&json!({ "id": cem })), "{:?}", world.told_of_accounts().await);
            assert!(world.insured_accounts().await.contains(&json!({ "id": cem })));
        }
    }

    async fn within_an_open_transaction_it_is_announced_with_it(test: TestDb) {
        let world = World::new(&test).await.with_accounts().await;
        let upsert = || on(Column::Id, [Column::Visits]);
        let accounts = || [with_key(1, "ann", 2), with_key(3, "cem", 3)];
        let txn = world.db.begin().await.unwrap();
        Bulk::<Entity>::new().upsert_many(&txn, accounts(), upsert()).await.unwrap();
        txn.rollback().await.unwrap();
        assert_eq!(world.told_of_accounts().await, told([]));
        let txn = world.db.begin().await.unwrap();
        Bulk::<Entity>::new().upsert_many(&txn, accounts(), upsert()).await.unwrap();
        assert_eq!(world.told_of_accounts().await, told([]));
        txn.commit().await.unwrap();
        assert_eq!(world.told_of_accounts().await, told([1, 3]));
        assert_eq!(world.accounts().await, [row(1, "ann", 2), row(2, "bob", 1), row(3, "cem", 3)]);
    }

    async fn a_key_of_several_columns_can_be_the_target(test: TestDb) {
        let world = World::new(&test).await;
        let lines = line::fill(&world, 1).await;
        let line = |number, article: &str| line::Model { number, article: article.to_owned(), amount: 5 };
        let on_conflict = OnConflict::columns([line::Column::Article, line::Column::Number])
            .update_column(line::Column::Amount)
            .to_owned();
        let models = [line(0, "cup"), line(0, "jug"), line(0, "pan"), line(1, "cup")];
        assert_eq!(Bulk::<line::Entity>::new().upsert_many(&world.db, models, on_conflict).await.unwrap(), 4);
        let mut expected = lines;
        expected.push(json!({ "number": 1, "article": "cup" }));
        assert_eq!(sorted(world.payloads("order_lines").await), sorted(expected));
        let found = line::Entity::find().all(&world.plain).await.unwrap();
        assert!(found.iter().all(|line| line.amount == 5), "{found:?}");
    }

    async fn without_returning_what_may_write_another_key_is_refused(test: TestDb) {
        let world = World::new(&test).await.with_accounts().await;
        let db = world.returning(false);
        let elsewhere = Bulk::<Entity>::new();
        let elsewhere = elsewhere.upsert_many(&db, [account("ann", 2)], on(Column::Email, [Column::Visits])).await;
        let keyless = Bulk::<Entity>::new();
        let keyless = keyless.upsert_many(&db, [account("ann", 2)], on(Column::Id, [Column::Visits])).await;
        for refused in [elsewhere, keyless] {
            let refused = refused.unwrap_err();
            assert_carries!(refused, BulkError::UnknownConflict { table } if table == "accounts");
            assert!(refused.to_string().contains("`producer.bulk_keys(&db, keys, …)`"), "{refused}");
        }
        assert_eq!(world.accounts().await, [row(1, "ann", 1), row(2, "bob", 1)]);
        assert_eq!(world.insured_accounts().await, told([]));
    }

    async fn an_upsert_that_would_rename_keys_is_refused(test: TestDb) {
        let world = World::new(&test).await.with_accounts().await;
        let refused = [
            on(Column::Email, [Column::Id, Column::Visits]),
            OnConflict::column(Column::Id).value(Column::Id, Expr::cust("accounts.id + 100")).to_owned(),
        ];
        for on_conflict in refused {
            let refused = Bulk::<Entity>::new().upsert_many(&world.db, [with_key(9, "ann", 2)], on_conflict).await;
            assert_carries!(refused.unwrap_err(), BulkError::ConflictRenames { table } if table == "accounts");
        }
        assert_eq!(world.accounts().await, [row(1, "ann", 1), row(2, "bob", 1)]);
        assert_eq!(world.insured_accounts().await, told([]));
    }
}

#[tokio::test]
async fn mariadb_without_returning_refuses_a_batch_that_met_a_conflict_in_another_index() {
    let test = TestDb::new(Backend::MariaDb).await;
    let world = World::new(&test).await.with_accounts().await;
    let accounts = [with_key(7, "ann", 6), with_key(8, "cem", 1)];
    let refused = Bulk::<Entity>::new().upsert_many(&world.db, accounts, on(Column::Id, [Column::Visits])).await;
    assert_carries!(refused.unwrap_err(), BulkError::ConflictElsewhere { table } if table == "accounts");
    assert_eq!(world.accounts().await, [row(1, "ann", 1), row(2, "bob", 1)]);
    assert_eq!(world.told_of_accounts().await, told([]));
}

#[tokio::test]
async fn a_key_that_is_set_to_itself_is_no_new_key() {
    let test = TestDb::sqlite().await;
    let world = World::new(&test).await.with_accounts().await;
    let on_conflict = on(Column::Id, [Column::Id, Column::Email, Column::Visits]);
    let accounts = [account::ActiveModel { id: ActiveValue::Unchanged(1), ..account("anna", 2) }];
    assert_eq!(Bulk::<Entity>::new().upsert_many(&world.db, accounts, on_conflict).await.unwrap(), 1);
    assert_eq!(world.accounts().await, [row(1, "anna", 2), row(2, "bob", 1)]);
    assert_eq!(world.told_of_accounts().await, told([1]));
}
