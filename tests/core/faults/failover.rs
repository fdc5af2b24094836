//! A failover to a replica that lagged: what it did not get is lost, and that is noticed.

use std::sync::{Arc, Mutex};

use redstream_core::{CancellationToken, Loss, LossKind};
use redstream_servers::RedisOptions;
use serde_json::json;

use super::{BACK, PAUSES, Stage};
use crate::core::SOON;
use crate::core::recorder::Recorder;
use crate::support::{eventually, raw_redis};

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

    // From here on it lags, and then it is the master.
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
    assert_eq!(told, [LossKind::OffsetWentBack { committed, stored: Some(stored) }]);
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
