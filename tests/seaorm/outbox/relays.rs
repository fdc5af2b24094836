//! Relays: what they move, also concurrently, and what they leave.

use std::collections::BTreeSet;
use std::time::Duration;

use redstream_core::{CancellationToken, Supervisor, WorkerState};
use redstream_seaorm::outbox::RelayError;
use redstream_seaorm::{BypassGuard, Insurance, StreamedConnection};
use sea_orm::{ActiveModelTrait, ConnectionTrait, TransactionTrait};

use super::super::city::with_key;
use super::super::world::{SOON, World, ids};
use super::{insured_by, relayed, rows, with_outbox};
use crate::support::{Backend, Logs, eventually, private_redis};

on_each_database! {
    async fn relays_side_by_side_move_each_row(db: TestDb) {
        let world = insured_by(Insurance::Outbox, &db).await;
        let txn = world.db.begin().await.unwrap();
        for key in 1..=2000 {
            with_key(key, "Rome").insert(&txn).await.unwrap();
        }
        txn.commit().await.unwrap();
        let relays = (0..4).map(|_| async {
            let relay = world.db.relay().batch_size(100);
            let mut moved = 0;
            // A relay that finds nothing may only have found that the others hold the rows.
            while !rows(&world).await.is_empty() {
                moved += relay.run_once().await.unwrap();
            }
            moved
        });
        let moved: Vec<u64> = futures_util::future::join_all(relays).await;
        let mut announced: Vec<i64> =
            world.main().await.iter().map(|payload| payload["id"].as_i64().unwrap()).collect();
        announced.sort_unstable();
        if db.backend() != Backend::Sqlite {
            assert_eq!(announced, (1..=2000).collect::<Vec<_>>(), "each once: {moved:?}");
            assert_eq!(moved.iter().sum::<u64>(), 2000);
        }
        announced.dedup();
        assert_eq!(announced.len(), 2000);
    }

    async fn a_row_that_commits_late_is_not_passed_over(db: TestDb) {
        if db.backend() == Backend::Sqlite {
            // One writer at a time: rows commit in the order of their ids.
            return;
        }
        let world = insured_by(Insurance::Outbox, &db).await;
        let late = world.plain.begin().await.unwrap();
        late.execute_unprepared("INSERT INTO redstream_outbox (stream, payload) VALUES ('cities', '{\"id\":1}')")
            .await
            .unwrap();
        with_key(2, "Oslo").insert(&world.db).await.unwrap();
        let relay = world.db.relay();
        relayed(&relay).await;
        assert_eq!(world.main().await, ids([2]));
        late.commit().await.unwrap();
        relayed(&relay).await;
        assert_eq!((world.main().await, rows(&world).await), (ids([2, 1]), ids([])));
    }

    async fn a_relay_at_work_holds_up_no_commit(db: TestDb) {
        if db.backend() == Backend::Sqlite {
            return; // It has no row locks there.
        }
        let server = private_redis().await;
        let world = with_outbox(World::at(&db, &server.url()).await, Insurance::Outbox).await;
        with_key(1, "Rome").insert(&world.db).await.unwrap();
        server.pause().unwrap();
        let relay = world.db.relay();
        let (moved, ()) = tokio::join!(relay.run_once(), async {
            for key in 2..=20 {
                with_key(key, "Oslo").insert(&world.db).await.unwrap();
            }
            assert_eq!(world.count().await, 20);
            server.resume().unwrap();
        });
        // If the commits took long it has given up, and its row still exists; then its message is duplicated.
        drop(moved);
        relayed(&relay).await;
        let announced: BTreeSet<_> = world.main().await.iter().map(|payload| payload["id"].as_i64().unwrap()).collect();
        assert_eq!(announced, (1..=20).collect());
    }

    async fn a_row_that_is_no_message_is_left_alone_and_told_of(db: TestDb) {
        let logs = Logs::capture();
        let world = insured_by(Insurance::Outbox, &db).await;
        let spoilt = "INSERT INTO redstream_outbox (stream, payload) VALUES ('cities', '{'), ('a b', '1')";
        world.plain.execute_unprepared(spoilt).await.unwrap();
        with_key(100, "Rome").insert(&world.db).await.unwrap();
        let relay = world.db.relay().batch_size(1);
        relayed(&relay).await;
        assert_eq!(world.main().await, ids([100]));
        assert_eq!(relay.set_aside(), 2);
        assert!(logs.has(&["ERROR", "cannot be moved and are skipped", "rows=2"]), "{}", logs.text());
    }

    async fn a_relay_that_runs_brings_what_others_and_what_this_process_commits(db: TestDb) {
        let world = insured_by(Insurance::Outbox, &db).await;
        // So long that only the wake-up can deliver the second.
        let relay = world.db.relay().interval(Duration::from_secs(60));
        let elsewhere = StreamedConnection::new(world.plain.clone(), world.redstream.producer());
        with_key(1, "Rome").insert(&elsewhere.to_builder().insurance(Insurance::Outbox).build()).await.unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { relay.run(shutdown).await }
        });
        world.announced(&ids([1])).await;
        eventually(SOON, "the relay to have deleted its row", async || rows(&world).await.is_empty()).await;
        with_key(2, "Oslo").insert(&world.db).await.unwrap();
        world.announced(&ids([1, 2])).await;
        shutdown.cancel();
        running.await.unwrap().unwrap();
    }

    async fn a_relay_of_batches_without_rows_is_refused(db: TestDb) {
        let world = insured_by(Insurance::Outbox, &db).await;
        let relay = || world.db.relay().batch_size(0);
        let refused = |error: redstream_core::Error| {
            assert!(matches!(error, redstream_core::Error::InvalidOption { option: "batch_size", .. }), "{error}");
        };
        match relay().run_once().await.unwrap_err() {
            RelayError::InvalidOption(error) => refused(error),
            other => panic!("{other}"),
        }
        refused(relay().run(CancellationToken::new()).await.unwrap_err());
        refused(Supervisor::new().with(relay()).start().unwrap_err());
    }

    async fn a_connection_with_other_settings_wakes_the_relay_of_the_first(db: TestDb) {
        let world = insured_by(Insurance::Outbox, &db).await;
        // So long that only the wake-up can deliver the change.
        let relay = world.db.relay().interval(Duration::from_secs(60));
        let workers = Supervisor::new().with(relay).start().unwrap();
        let idle = async || workers.health().workers()[0].state == WorkerState::Idle;
        eventually(SOON, "the relay to wait", idle).await;
        let off = world.db.to_builder().guard(BypassGuard::Off).build();
        with_key(1, "Rome").insert(&off).await.unwrap();
        world.announced(&ids([1])).await;
        workers.shutdown().await.unwrap();
    }
}
