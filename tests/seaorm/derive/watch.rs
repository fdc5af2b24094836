//! `watch(…)`: only updates of these columns are announced.

use redstream_seaorm::{SaveInTransaction, Streamed};
use sea_orm::{ActiveModelTrait, Iterable, ModelTrait, Set, TransactionTrait};
use serde_json::{Value, json};

use super::entities::{author, offer};
use crate::seaorm::world::World;

fn told(times: usize) -> Vec<Value> {
    vec![json!({ "id": 1 }); times]
}

impl World {
    /// Asserts that this many messages of each kind were sent for the one offer.
    async fn is_told_of_offers(&self, times: usize) {
        assert_eq!(self.payloads("offers.delay").await, told(times));
        assert_eq!(self.payloads("offers").await, told(times));
    }
}

on_each_database! {
    async fn an_update_is_announced_where_it_sets_a_watched_column(db: TestDb) {
        let world = World::new(&db).await;
        world.create(offer::Entity).await;
        let offer = offer::offer(1).insert(&world.db).await.unwrap();
        world.is_told_of_offers(1).await;

        let seen = offer::ActiveModel { id: Set(1), views: Set(7), ..Default::default() };
        seen.clone().update(&world.db).await.unwrap();
        seen.clone().update_without_returning(&world.db).await.unwrap();
        seen.update_tx(&world.db).await.unwrap();
        world.is_told_of_offers(1).await;

        let dearer = offer::ActiveModel { id: Set(1), price: Set(9), views: Set(8), ..Default::default() };
        dearer.update(&world.db).await.unwrap();
        world.is_told_of_offers(2).await;
        let renamed = offer::ActiveModel { id: Set(1), r#type: Set("car".to_owned()), ..Default::default() };
        renamed.update(&world.db).await.unwrap();
        world.is_told_of_offers(3).await;

        offer.delete(&world.db).await.unwrap();
        world.is_told_of_offers(4).await;
    }

    async fn in_a_transaction_it_is_the_same(db: TestDb) {
        let world = World::new(&db).await;
        world.create(offer::Entity).await;
        let txn = world.db.begin().await.unwrap();
        let offer = offer::offer(1).insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        world.is_told_of_offers(1).await;

        let txn = world.db.begin().await.unwrap();
        let seen = offer::ActiveModel { id: Set(1), views: Set(7), ..Default::default() };
        seen.update(&txn).await.unwrap();
        txn.commit().await.unwrap();
        world.is_told_of_offers(1).await;

        let txn = world.db.begin().await.unwrap();
        let dearer = offer::ActiveModel { id: Set(1), price: Set(9), ..Default::default() };
        dearer.update(&txn).await.unwrap();
        txn.commit().await.unwrap();
        world.is_told_of_offers(2).await;

        let txn = world.db.begin().await.unwrap();
        offer.delete(&txn).await.unwrap();
        txn.commit().await.unwrap();
        world.is_told_of_offers(3).await;
    }
}

#[test]
fn fields_become_the_columns_that_sea_orm_makes_of_them() {
    let watched: Vec<_> = offer::Column::iter().filter(offer::Entity::is_watched).collect();
    assert!(matches!(watched[..], [offer::Column::Price, offer::Column::Type, offer::Column::Money]), "{watched:?}");
}

#[test]
fn every_column_is_watched_where_nothing_else_is_said() {
    assert!(author::Column::iter().all(|column| author::Entity::is_watched(&column)));
}
