//! Updates and deletes that return what they wrote.

use redstream_seaorm::{Bulk, BulkError};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ExprTrait};
use serde_json::json;

use super::account::{self, Column, Entity};
use super::{sorted, world_of};
use crate::seaorm::city;
use crate::seaorm::world::{World, ids};
use crate::support::*;

on_each_database! {
    async fn updated_rows_come_back_where_the_database_returns_them(test: TestDb) {
        let world = world_of(&test, 5).await;
        let bulk = Bulk::<city::Entity>::new().filter(city::Column::Id.gt(2));
        let updated = bulk.update_returning(&world.db, |update| update.col_expr(city::Column::Name, Expr::value("new")));
        match updated.await {
            Ok(mut rows) => {
                assert_ne!(test.backend(), Backend::MariaDb);
                rows.sort_by_key(|row| row.id);
                assert_eq!(rows, [3, 4, 5].map(|id| city::Model { id, name: "new".to_owned() }));
                assert_eq!(world.keys_of("new").await, [3, 4, 5]);
                assert_eq!(sorted(world.main().await), ids(3..=5));
                assert_eq!(sorted(world.delay().await), ids(3..=5));
            }
            Err(refused) => {
                assert_eq!(test.backend(), Backend::MariaDb, "{refused}");
                assert_carries!(refused, BulkError::NoReturning { table, instead: "update_many", .. } if table == "cities");
                world.nothing_is_announced().await;
            }
        }
    }

    async fn deleted_rows_come_back_where_the_database_returns_them(test: TestDb) {
        let world = world_of(&test, 5).await;
        let bulk = || Bulk::<city::Entity>::new().filter(city::Column::Id.gt(2));
        let mut rows = bulk().delete_returning(&world.returning(true)).await.unwrap();
        rows.sort_by_key(|row| row.id);
        assert_eq!(rows, [3, 4, 5].map(|id| city::Model { id, name: "old".to_owned() }));
        assert_eq!(world.keys_of("old").await, [1, 2]);
        assert_eq!(sorted(world.main().await), ids(3..=5));
        assert_eq!(sorted(world.delay().await), ids(3..=5));

        let refused = bulk().delete_returning(&world.returning(false)).await.unwrap_err();
        assert_carries!(refused, BulkError::NoReturning { table, instead: "delete_many", .. } if table == "cities");
    }

    async fn an_update_of_columns_that_are_not_watched_is_made_and_not_announced(test: TestDb) {
        let world = World::new(&test).await.with_accounts().await;
        let visited = || Expr::col(Column::Visits).add(1);
        let updated = Bulk::<Entity>::new().batch_size(1).update_many(&world.db, |update| {
            update.col_expr(Column::Visits, visited())
        });
        assert_eq!(updated.await.unwrap(), 2);
        assert!(world.accounts().await.iter().all(|(_, _, visits)| *visits == 2));
        assert_eq!(world.payloads("accounts.delay").await, Vec::<serde_json::Value>::new());
        assert_eq!(world.payloads("accounts").await, Vec::<serde_json::Value>::new());

        let updated = Bulk::<Entity>::new().filter(Column::Id.eq(2)).update_many(&world.db, |update| {
            update.col_expr(Column::Visits, visited()).col_expr(Column::Email, Expr::value("bill"))
        });
        assert_eq!(updated.await.unwrap(), 1);
        assert_eq!(world.payloads("accounts").await, [json!({ "id": 2 })]);
        let deleted = Bulk::<account::Entity>::new().filter(Column::Id.eq(1)).delete_many(&world.db);
        assert_eq!(deleted.await.unwrap(), 1);
        assert_eq!(world.payloads("accounts").await, [json!({ "id": 2 }), json!({ "id": 1 })]);
    }
}
