//! Redis is unavailable: before the commit nothing is committed (law 2), after it nothing is undone (law 3).

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use redstream_core::CancellationToken;
use redstream_seaorm::{Error, SaveInTransaction, StreamedTransaction};
use redstream_servers::Redis;
use sea_orm::{ActiveModelTrait, DbErr, TransactionError, TransactionTrait};

use super::city::{named, renamed, with_key};
use super::world::{GIVE_UP, SOON, World, id, ids};
use super::wrappers::Interference;
use crate::support::{Logs, TestDb, eventually, private_redis};

/// Redis is killed at one moment of a commit.
#[derive(Debug)]
struct Killing {
    server: Mutex<Redis>,
    moment: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Before,
    After,
    /// After a commit that took longer than the insurance is guaranteed to last.
    AfterASlow,
}

impl Killing {
    fn new(server: Redis, moment: Moment) -> Arc<Self> {
        Arc::new(Self { server: Mutex::new(server), moment })
    }

    fn kill_at(&self, moment: Moment) {
        if self.moment == moment {
            self.server.lock().unwrap().kill().unwrap();
        }
    }

    fn restart(&self) {
        self.server.lock().unwrap().restart().unwrap();
    }
}

#[async_trait]
impl Interference for Killing {
    async fn before_commit(&self) {
        self.kill_at(Moment::Before);
        if self.moment == Moment::AfterASlow {
            tokio::time::sleep(SLOW_COMMIT).await;
        }
    }

    async fn after_commit(&self) -> Result<(), DbErr> {
        self.kill_at(Moment::After);
        self.kill_at(Moment::AfterASlow);
        Ok(())
    }
}

/// Longer than two and a half times `RESEND_AFTER`.
const SLOW_COMMIT: Duration = Duration::from_millis(60);
const RESEND_AFTER: Duration = Duration::from_millis(20);

/// A private Redis under the world's table, its address is kept after it is passed on.
async fn world_of_its_own(db: &TestDb) -> (World, Redis) {
    let server = private_redis().await;
    (World::at(db, &server.url()).await, server)
}

/// Waits until the connection to a restarted Redis is open again.
async fn works_again(world: &World) {
    eventually(SOON, "a save after Redis is back", async || named("later").insert_tx(&world.db).await.is_ok()).await;
}

/// Without a Redis that answers, a transaction with a save does not commit.
async fn fails_in_time(world: &World, txn: StreamedTransaction) {
    with_key(100, "Rome").insert(&txn).await.unwrap();
    let started = Instant::now();
    let error = txn.commit().await.unwrap_err();
    assert!(started.elapsed() < GIVE_UP * 6, "{:?}", started.elapsed());
    assert_carries!(error, Error::NotInsured(_));
    assert_eq!(world.row(100).await, None);
}

on_each_database! {
    async fn a_commit_fails_in_time_while_redis_hangs_and_works_again_after_it(db: TestDb) {
        let (world, server) = world_of_its_own(&db).await;
        let txn = world.db.begin().await.unwrap();
        server.pause().unwrap();
        fails_in_time(&world, txn).await;

        server.resume().unwrap();
        works_again(&world).await;
        with_key(100, "Rome").insert(&world.db).await.unwrap();
        assert!(world.main().await.contains(&id(100)));
    }

    async fn a_commit_fails_in_time_without_redis_and_works_again_after_it(db: TestDb) {
        let (world, mut server) = world_of_its_own(&db).await;
        let txn = world.db.begin().await.unwrap();
        server.kill().unwrap();
        fails_in_time(&world, txn).await;

        server.restart().unwrap();
        works_again(&world).await;
        with_key(100, "Rome").insert(&world.db).await.unwrap();
        assert!(world.main().await.contains(&id(100)));
    }

    async fn a_transaction_that_cannot_commit_any_more_refuses_further_writes(db: TestDb) {
        let (world, mut server) = world_of_its_own(&db).await;
        let txn = world.db.begin().await.unwrap();
        server.kill().unwrap();
        let mut key = 0;
        let error = eventually(SOON, "a refused write", async || {
            key += 1;
            with_key(key, "Rome").insert(&txn).await.err()
        });
        assert_carries!(error.await, Error::NotInsured(_));
        assert_carries!(txn.commit().await.unwrap_err(), Error::NotInsured(_));
        assert_eq!(world.count().await, 0);
    }

    async fn the_closure_form_rolls_back_without_redis(db: TestDb) {
        let (world, server) = world_of_its_own(&db).await;
        server.pause().unwrap();
        let outcome = world
            .db
            .transaction::<_, _, DbErr>(|txn| Box::pin(async move { with_key(100, "Rome").insert(txn).await }))
            .await;
        let Err(TransactionError::Connection(error)) = outcome else { panic!("{outcome:?}") };
        assert_carries!(error, Error::NotInsured(_));
        assert_eq!(world.row(100).await, None);
    }

    async fn outside_a_transaction_nothing_is_written_while_redis_hangs(db: TestDb) {
        let (world, server) = world_of_its_own(&db).await;
        let city = world.existing(100, "Rome").await;
        server.pause().unwrap();
        for outcome in [
            renamed(&city, "Roma").update(&world.db).await.map(drop),
            with_key(101, "Oslo").insert(&world.db).await.map(drop),
            renamed(&city, "Roma").delete(&world.db).await.map(drop),
        ] {
            assert_carries!(outcome.unwrap_err(), Error::NotInsured(_));
        }
        assert_eq!((world.count().await, world.name(100).await.unwrap()), (1, "Rome".to_owned()));
    }

    async fn a_main_message_that_fails_fails_no_commit_and_the_delayer_repairs_it(db: TestDb) {
        let logs = Logs::capture();
        let (world, server) = world_of_its_own(&db).await;
        let killing = Killing::new(server, Moment::After);
        let connection = world.interfered(killing.clone());
        let txn = connection.begin().await.unwrap();
        with_key(100, "Rome").insert(&txn).await.unwrap();
        txn.commit().await.expect("the row is committed, whatever became of the main message");

        assert_eq!(world.name(100).await.unwrap(), "Rome");
        assert!(logs.has(&["WARN", "cities", "main messages not written"]), "{}", logs.text());

        killing.restart();
        repaired(&world, &[id(100)]).await;
    }

    async fn a_commit_that_could_not_remove_its_delay_message_is_repaired_by_its_delay_message(db: TestDb) {
        let (world, server) = world_of_its_own(&db).await;
        let killing = Killing::new(server, Moment::After);
        let txn = world.interfered(killing.clone()).to_builder().remove_delay_messages(true).build().begin().await.unwrap();
        with_key(100, "Rome").insert(&txn).await.unwrap();
        txn.commit().await.expect("the row is committed, whatever became of the main message");
        killing.restart();
        repaired(&world, &[id(100)]).await;
    }

    async fn a_main_message_that_fails_outside_a_transaction_fails_no_write(db: TestDb) {
        let logs = Logs::capture();
        let (world, server) = world_of_its_own(&db).await;
        let city = world.existing(100, "Rom").await;
        let killing = Killing::new(server, Moment::After);
        renamed(&city, "Rome").update(&world.interfered(killing.clone())).await.unwrap();
        assert_eq!(world.name(100).await.unwrap(), "Rome");
        assert!(logs.has(&["WARN", "cities", "main messages not written"]), "{}", logs.text());
        killing.restart();
        repaired(&world, &[id(100)]).await;
    }

    async fn after_a_slow_commit_a_failed_main_message_is_tried_until_it_succeeds(db: TestDb) {
        let (world, server) = world_of_its_own(&db).await;
        let killing = Killing::new(server, Moment::AfterASlow);
        let connection = world.interfered(killing.clone()).to_builder().resend_after(RESEND_AFTER).build();
        let txn = connection.begin().await.unwrap();
        with_key(100, "Rome").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        killing.restart();
        // No delayer runs.
        world.announced(&[id(100)]).await;
    }

    async fn delay_messages_that_were_acknowledged_survive_redis_and_bring_the_change(db: TestDb) {
        let (world, server) = world_of_its_own(&db).await;
        let killing = Killing::new(server, Moment::Before);
        let connection = world.interfered(killing.clone());
        let txn = connection.begin().await.unwrap();
        with_key(100, "Rome").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(world.name(100).await.unwrap(), "Rome");
        killing.restart();
        repaired(&world, &[id(100)]).await;
    }

    async fn a_commit_whose_answer_is_lost_is_brought_by_the_delay_message(db: TestDb) {
        let world = World::new(&db).await;
        let txn = world.interfered(Arc::new(Lost)).begin().await.unwrap();
        with_key(100, "Rome").insert(&txn).await.unwrap();
        assert_eq!(txn.commit().await.unwrap_err(), DbErr::Custom("connection reset".to_owned()));
        assert_eq!(world.name(100).await.unwrap(), "Rome", "it was committed, which no reply said");
        assert_eq!(world.main().await, ids([]));
        repaired(&world, &[id(100)]).await;
    }
}

/// A commit whose answer never comes.
#[derive(Debug)]
struct Lost;

#[async_trait]
impl Interference for Lost {
    async fn after_commit(&self) -> Result<(), DbErr> {
        Err(DbErr::Custom("connection reset".to_owned()))
    }
}

/// Runs a delayer until the main messages are these.
async fn repaired(world: &World, payloads: &[serde_json::Value]) {
    let shutdown = CancellationToken::new();
    let delayer = world.cities().delayer(Duration::from_millis(50));
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { delayer.run(shutdown).await }
    });
    world.announced(payloads).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
