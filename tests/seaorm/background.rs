//! Announcing in the background: a commit does not wait for its main messages, and none is lost.

use std::sync::Arc;

use async_trait::async_trait;
use redstream_seaorm::{Bulk, SaveInTransaction};
use redstream_servers::Redis;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, DbErr, TransactionTrait};

use super::city::{self, named, renamed, with_key};
use super::world::{World, id};
use super::wrappers::Interference;
use crate::support::{Logs, private_redis};

/// Redis hangs from the COMMIT on.
#[derive(Debug)]
struct Hanging(Redis);

#[async_trait]
impl Interference for Hanging {
    async fn after_commit(&self) -> Result<(), DbErr> {
        self.0.pause().unwrap();
        Ok(())
    }
}

on_each_database! {
    async fn a_commit_does_not_wait_for_its_main_messages(db: TestDb) {
        let logs = Logs::capture();
        let server = private_redis().await;
        let world = World::patient_at(&db, &server.url()).await;
        let hanging = Arc::new(Hanging(server));
        let txn = world.interfered(hanging.clone()).to_builder().announce_in_background(true).build().begin().await.unwrap();
        with_key(100, "Rome").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        // A commit that waited would have returned only after giving up the message, and logged it.
        assert!(!logs.has(&["main messages not written"]), "{}", logs.text());
        assert_eq!(world.name(100).await.unwrap(), "Rome");

        hanging.0.resume().unwrap();
        world.announced(&[id(100)]).await;
    }

    async fn every_kind_of_write_is_announced_all_the_same(db: TestDb) {
        let world = World::new(&db).await;
        let connection = world.db.to_builder().announce_in_background(true).build();
        let ulm = with_key(100, "Ulm").insert(&connection).await.unwrap();
        world.announced(&[id(100)]).await;
        renamed(&ulm, "Neu-Ulm").update_tx(&connection).await.unwrap();
        world.announced(&[id(100), id(100)]).await;
        let more = Expr::value("Rome");
        let renamed = Bulk::<city::Entity>::new().update_many(&connection, |set| set.col_expr(city::Column::Name, more));
        assert_eq!(renamed.await.unwrap(), 1);
        world.announced(&[id(100), id(100), id(100)]).await;
        assert_eq!(world.delay().await.len(), 3, "and insured before");
    }

    async fn a_token_is_waited_for(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.db.to_builder().announce_in_background(true).build().begin().await.unwrap();
        let generated = named("Ulm").insert(&txn).await.unwrap();
        txn.commit_with_token().await.unwrap();
        assert_eq!(world.main().await, [id(generated.id)]);
    }
}
