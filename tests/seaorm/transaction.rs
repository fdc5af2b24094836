//! Laws 2 and 4 on an open Redis: insured before COMMIT, announced after it, and nothing rolled back is announced.

use std::time::Duration;

use futures_util::future::join_all;
use redstream_seaorm::StreamedConnection;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, ModelTrait, Set, TransactionTrait};

use super::city::{self, named, renamed, with_key};
use super::world::{SOON, World, id, ids};
use crate::support::eventually;

on_each_database! {
    async fn an_insert_is_insured_before_the_commit_and_announced_after_it(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.begin().await.unwrap();
        let city = named("Rome").insert(&txn).await.unwrap();

        world.insured(&[id(city.id)]).await;
        assert_eq!(world.main().await, ids([]));
        assert_eq!(world.row(city.id).await, None, "the transaction is open");

        txn.commit().await.unwrap();
        assert_eq!(world.main().await, [id(city.id)]);
        assert_eq!(world.delay().await, [id(city.id)]);
        assert_eq!(world.row(city.id).await, Some(city));
    }

    async fn an_update_is_insured_before_the_commit_and_announced_after_it(db: TestDb) {
        let world = World::new(&db).await;
        let city = named("Rom").insert(&world.plain_writer()).await.unwrap();
        let txn = world.db.begin().await.unwrap();
        renamed(&city, "Rome").update(&txn).await.unwrap();

        world.insured(&[id(city.id), id(city.id)]).await;
        assert_eq!(world.main().await, [id(city.id)], "the insert's only");

        txn.commit().await.unwrap();
        assert_eq!(world.main().await, [id(city.id), id(city.id)]);
        assert_eq!(world.row(city.id).await.unwrap().name, "Rome");
    }
}
