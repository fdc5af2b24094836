//! The insurance of a transaction: renewed if the transaction has become old, and compared with the delayer's delay.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use redstream_seaorm::{Error, StreamedConnection, hooks};
use sea_orm::{ActiveModelTrait, TransactionTrait};
use serde_json::Value;

use super::city::{named, with_key};
use super::world::{SOON, World, id, ids};
use super::wrappers::Interference;
use crate::support::{Logs, TestDb, eventually, private_redis};

const RESEND_AFTER: Duration = Duration::from_millis(1);

/// Records the delay messages that exist when COMMIT is about to be sent.
#[derive(Clone)]
struct Look {
    world: Arc<World>,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Look {
    fn at(world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self { world: world.clone(), seen: Arc::default() })
    }
}

impl std::fmt::Debug for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Look")
    }
}

#[async_trait]
impl Interference for Look {
    async fn before_commit(&self) {
        assert_eq!(self.world.main().await, ids([]), "no main message before COMMIT");
        *self.seen.lock().unwrap() = self.world.delay().await;
    }
}

/// Waits until the transaction is older than its insurance may be.
async fn grow_old(since: Instant) {
    eventually(SOON, "the transaction to grow old", async || since.elapsed() > RESEND_AFTER).await;
}

on_each_database! {
    async fn every_delay_message_is_acknowledged_when_commit_is_sent(db: TestDb) {
        let world = Arc::new(World::new(&db).await);
        let look = Look::at(&world);
        let txn = world.interfered(look.clone()).begin().await.unwrap();
        for key in 1..=20 {
            with_key(key, "Rome").insert(&txn).await.unwrap();
        }
        txn.commit().await.unwrap();
        assert_eq!(*look.seen.lock().unwrap(), ids(1..=20));
        assert_eq!(world.main().await, ids(1..=20));
    }

    async fn a_hook_whose_statement_was_not_seen_is_insured_by_the_commit(db: TestDb) {
        let world = Arc::new(World::new(&db).await);
        let look = Look::at(&world);
        let txn = world.interfered(look.clone()).begin().await.unwrap();
        hooks::before_delete(&with_key(1, "Rome"), &txn).await.unwrap();
        let savepoint = txn.begin().await.unwrap();
        hooks::before_delete(&with_key(2, "Oslo"), &savepoint).await.unwrap();
        savepoint.commit().await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(*look.seen.lock().unwrap(), ids([1, 2]));
    }

    async fn an_old_transaction_sends_its_delay_messages_again_before_the_commit(db: TestDb) {
        let world = Arc::new(World::new(&db).await);
        let look = Look::at(&world);
        let txn = world.interfered(look.clone()).to_builder().resend_after(RESEND_AFTER).build().begin().await.unwrap();
        with_key(1, "Rome").insert(&txn).await.unwrap();
        let written = Instant::now();
        world.insured(&[id(1)]).await;
        grow_old(written).await;
        txn.commit().await.unwrap();
        assert_eq!(*look.seen.lock().unwrap(), ids([1, 1]));
        assert_eq!(world.main().await, ids([1]));
    }

    async fn a_commit_that_is_not_polled_for_long_sends_its_delay_messages_again(db: TestDb) {
        const RESEND_AFTER: Duration = Duration::from_millis(300);
        let server = private_redis().await;
        let world = Arc::new(World::at(&db, &server.url()).await);
        let look = Look::at(&world);
        let txn = world.interfered(look.clone()).to_builder().resend_after(RESEND_AFTER).build().begin().await.unwrap();
        server.pause().unwrap();
        with_key(1, "Rome").insert(&txn).await.unwrap();
        let mut commit = Box::pin(txn.commit());
        assert!(futures_util::poll!(&mut commit).is_pending(), "Redis has acknowledged nothing yet");
        let held = Instant::now();
        server.resume().unwrap();
        world.insured(&[id(1)]).await;
        eventually(SOON, "the transaction to grow old", async || held.elapsed() > RESEND_AFTER).await;
        commit.await.unwrap();
        assert_eq!(*look.seen.lock().unwrap(), ids([1, 1]));
        assert_eq!(world.main().await, ids([1]));
    }

    async fn an_old_transaction_that_cannot_send_them_again_does_not_commit(db: TestDb) {
        let mut server = private_redis().await;
        let world = World::at(&db, &server.url()).await;
        let txn = world.db.to_builder().resend_after(RESEND_AFTER).build().begin().await.unwrap();
        with_key(1, "Rome").insert(&txn).await.unwrap();
        let written = Instant::now();
        world.insured(&[id(1)]).await;
        grow_old(written).await;
        server.kill().unwrap();
        assert_carries!(txn.commit().await.unwrap_err(), Error::NotInsured(_));
        assert_eq!(world.count().await, 0);
    }
}

/// Only the delayer was given the delay.
#[tokio::test]
async fn a_transaction_older_than_a_fifth_of_the_delay_sends_its_delay_messages_again() {
    const DELAY: Duration = Duration::from_secs(1);
    let db = TestDb::sqlite().await;
    let world = Arc::new(World::new(&db).await);
    world.cities().delayer(DELAY).run_once().await.unwrap().expect("no other delayer runs");
    let look = Look::at(&world);
    let connection = world.interfered(look.clone());
    let mut key = 0;
    eventually(SOON, "the connection to have read the delay", async || {
        key += 1;
        let txn = connection.begin().await.unwrap();
        with_key(key, "Rome").insert(&txn).await.unwrap();
        world.insured(&[id(key)]).await;
        let written = Instant::now();
        eventually(SOON, "the transaction to grow old", async || written.elapsed() > DELAY / 5).await;
        txn.commit().await.unwrap();
        look.seen.lock().unwrap().iter().filter(|seen| **seen == id(key)).count() == 2
    })
    .await;
}

async fn save_beside_a_delayer(delay: Duration, change: impl FnOnce(StreamedConnection) -> StreamedConnection) {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    world.cities().delayer(delay).run_once().await.unwrap().expect("no other delayer moves them");
    let connection = change(world.db.clone());
    for name in ["Rome", "Oslo"] {
        let txn = connection.begin().await.unwrap();
        named(name).insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
    }
}

fn resending_after(age: Duration) -> impl FnOnce(StreamedConnection) -> StreamedConnection {
    move |db| db.to_builder().resend_after(age).build()
}

const TOO_SHORT: [&str; 3] = ["WARN", "the delayer's delay is too short", "cities"];

#[tokio::test]
async fn a_delay_too_short_for_old_transactions_is_warned_of_once() {
    let logs = Logs::capture();
    save_beside_a_delayer(Duration::from_secs(299), resending_after(Duration::from_secs(60))).await;
    eventually(SOON, "the warning", async || logs.has(&TOO_SHORT)).await;
    assert_eq!(logs.text().matches(TOO_SHORT[1]).count(), 1, "{}", logs.text());
    assert!(logs.has(&["299s", "300s"]), "both figures: {}", logs.text());
}

#[tokio::test]
async fn a_delay_that_another_connection_has_read_is_warned_of_too() {
    let logs = Logs::capture();
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    world.cities().delayer(Duration::from_secs(1)).run_once().await.unwrap().expect("no other delayer runs");
    // Reads the delay, once a minute, and takes its age from it.
    named("Rome").insert(&world.db).await.unwrap();
    let other = resending_after(Duration::from_secs(60))(world.db.clone());
    eventually(SOON, "the warning", async || {
        named("Oslo").insert(&other).await.unwrap();
        logs.has(&TOO_SHORT)
    })
    .await;
}

#[tokio::test]
async fn a_delay_five_times_as_long_as_resend_after_is_not_warned_of() {
    let logs = Logs::capture();
    save_beside_a_delayer(Duration::from_secs(300), resending_after(Duration::from_secs(60))).await;
    save_beside_a_delayer(Duration::from_secs(10), resending_after(Duration::from_secs(2))).await;
    // The maximum age follows the delay.
    save_beside_a_delayer(Duration::from_secs(1), |db| db).await;
    // Each checked long before this one, which does warn.
    save_beside_a_delayer(Duration::from_secs(1), resending_after(Duration::from_secs(60))).await;
    eventually(SOON, "the warning", async || logs.has(&TOO_SHORT)).await;
    assert_eq!(logs.text().matches(TOO_SHORT[1]).count(), 1, "{}", logs.text());
}

/// On several threads a save can run between the acknowledgement of one pipeline and the end of its task. Each of these
/// saves runs together with a reply of Redis, when a pipeline is also acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn saves_that_meet_the_landing_of_a_pipeline_are_not_refused() {
    let db = TestDb::sqlite().await;
    let world = Arc::new(World::new(&db).await);
    let txn = Arc::new(world.db.begin().await.unwrap());
    let tasks = (0..16).map(|task| {
        let (world, txn) = (world.clone(), txn.clone());
        tokio::spawn(async move {
            for n in 0..500 {
                hooks::before_save(&with_key(1000 * task + n, "Rome"), &*txn, true).await.unwrap();
                world.redstream.producer().queue(world.cities().name(), &id(n)).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    Arc::into_inner(txn).unwrap().commit().await.unwrap();
    assert_eq!(world.cities().delay_len().await.unwrap(), 8000);
}
