//! Failovers: to a replica that lagged, whose loss is noticed; and two masters at once, of which no session uses both.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redstream_core::{Batch, CancellationToken, HandlerError, Loss, LossKind, Redstream};
use redstream_servers::RedisOptions;
use serde_json::json;

use super::{BACK, PAUSES, Stage};
use crate::core::SOON;
use crate::core::recorder::Recorder;
use crate::support::{eventually, private_redis, raw_redis};

#[tokio::test]
async fn a_replica_that_lagged_and_became_master_is_a_loss_that_is_told_and_not_skipped_over() {
    let stage = Stage::new().await;
    let port = stage.redis.port().to_string();
    let replica = RedisOptions::new().append_only(true).arg("--replicaof").arg("127.0.0.1").arg(port);
    let replica = tokio::task::spawn_blocking(move || replica.start()).await.unwrap().unwrap();
    let mut raw = raw_redis(&replica.url()).await;

    let (seen, losses) = (Recorder::default(), Arc::new(Mutex::new(Vec::<Loss>::new())));
    let consumer = stage.products.consumer("search", seen.clone()).backoff(PAUSES.0, PAUSES.1).on_loss({
        let losses = losses.clone();
        move |loss| losses.lock().unwrap().push(loss)
    });
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { consumer.run(shutdown).await }
    });
    stage.queue(0..5).await;
    eventually(SOON, "the first messages", async || stage.truth.lag("search").await.unwrap() == 0 && seen.len() == 5)
        .await;
    let stored = stage.truth.offsets().get("search").await.unwrap().expect("it committed");
    eventually(BACK, "the replica to be in step", async || {
        let offset: Option<String> =
            redis::cmd("GET").arg("redstream:offset:products:search").query_async(&mut raw).await.unwrap();
        offset == Some(stored.to_string())
    })
    .await;

    // From here on the replica lags, and then it becomes the master.
    let () = redis::cmd("REPLICAOF").arg("NO").arg("ONE").query_async(&mut raw).await.unwrap();
    stage.queue(5..10).await;
    eventually(SOON, "what the replica does not get", async || {
        stage.truth.lag("search").await.unwrap() == 0 && seen.len() == 10
    })
    .await;
    let committed = stage.truth.offsets().get("search").await.unwrap().expect("it committed");
    stage.proxy.lead_to(replica.port());

    eventually(BACK, "the first message of the new master", async || {
        let _ = stage.through.producer().queue(stage.products.name(), &json!("new")).await;
        seen.payloads().contains(&json!("new"))
    })
    .await;
    let told: Vec<LossKind> = losses.lock().unwrap().iter().map(|loss| loss.kind).collect();
    assert_eq!(told, [LossKind::NoRecord, LossKind::OffsetWentBack { committed, stored: Some(stored) },]);
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

/// A worker that acquired the lock of the new master, read from the old one and committed on the new one would skip
/// what only the new one has.
#[tokio::test]
async fn a_session_whose_two_connections_reached_two_masters_does_no_work() {
    // The fixture's Redis is the new master; the messages of the old one have higher ids.
    let (stage, old) = (Stage::new().await, private_redis().await);
    for (redis, ids) in [(&stage.redis, 1..=5), (&old, 11..=15)] {
        let mut raw = raw_redis(&redis.url()).await;
        for id in ids {
            let key = "redstream:stream:products";
            redis::cmd("XADD")
                .arg(key)
                .arg(format!("{id}-0"))
                .arg("payload")
                .arg(id)
                .exec_async(&mut raw)
                .await
                .unwrap();
        }
    }
    stage.proxy.alternate_with(old.port());
    let (seen, shutdown) = (Recorder::default(), CancellationToken::new());
    let consumer = stage.products.consumer("search", seen.clone()).backoff(PAUSES.0, PAUSES.1);
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { consumer.run(shutdown).await }
    });
    let before = stage.proxy.accepted();
    eventually(BACK, "several sessions to be refused", async || {
        stage.proxy.accepted() >= before + 10 || seen.len() > 0
    })
    .await;
    assert_eq!(seen.len(), 0, "{:?}", seen.payloads());

    stage.proxy.lead_to(stage.redis.port());
    eventually(BACK, "what the new master holds", async || stage.truth.lag("search").await.unwrap() == 0).await;
    assert_eq!(seen.payloads(), super::numbers(1..6));
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

/// An address that leads to another server from one moment on, as a name in the DNS does: connections that are there
/// stay.
async fn address_of(target: Arc<AtomicU16>) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let to = target.load(Ordering::SeqCst);
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(("127.0.0.1", to)).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    port
}

/// A handler can take minutes, and has the connections for as long.
#[tokio::test]
async fn workers_leave_a_master_that_became_a_replica_though_one_of_them_is_busy() {
    let (old, new) = (private_redis().await, private_redis().await);
    let target = Arc::new(AtomicU16::new(old.port()));
    let through = Redstream::connect(format!("redis://127.0.0.1:{}", address_of(target.clone()).await)).await.unwrap();
    let (busy, products) = (through.stream("busy").unwrap(), through.stream("products").unwrap());
    let (begun, seen) = (Arc::new(tokio::sync::Notify::new()), Recorder::default());
    let slow = {
        let begun = begun.clone();
        move |_: Batch| {
            begun.notify_one();
            std::future::pending::<Result<(), HandlerError>>()
        }
    };
    let slow = busy.consumer("slow", slow).lock_ttl(Duration::from_secs(1)).backoff(PAUSES.0, PAUSES.1);
    let consumer =
        products.consumer("search", seen.clone()).lock_ttl(Duration::from_secs(1)).backoff(PAUSES.0, PAUSES.1);
    let shutdown = CancellationToken::new();
    let _stop = shutdown.clone().drop_guard();
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move { slow.run(shutdown).await }
    });
    tokio::spawn(async move { consumer.run(shutdown).await });
    through.producer().queue(busy.name(), &1).await.unwrap();
    through.producer().queue(products.name(), &1).await.unwrap();
    begun.notified().await;
    eventually(SOON, "the first message", async || seen.len() == 1).await;

    target.store(new.port(), Ordering::SeqCst);
    let mut raw = raw_redis(&old.url()).await;
    redis::cmd("REPLICAOF").arg("127.0.0.1").arg(new.port()).exec_async(&mut raw).await.unwrap();
    let direct = Redstream::connect(new.url()).await.unwrap();
    direct.producer().queue(direct.stream("products").unwrap().name(), &json!("new")).await.unwrap();
    eventually(SOON, "the message of the new master", async || seen.payloads().contains(&json!("new"))).await;
}
