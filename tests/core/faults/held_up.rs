//! A Redis that does not answer for a while: it hangs, or is busy with a script.

use std::time::{Duration, Instant};

use redstream_core::{NewMessage, Payload};
use serde_json::json;

use super::{BACK, GIVES_UP, Stage, forward_until};
use crate::core::SOON;
use crate::core::recorder::Recorder;
use crate::support::{eventually, raw_redis};

#[tokio::test]
async fn all_go_on_after_redis_hung_for_ten_seconds() {
    let stage = Stage::new().await;
    let seen = Recorder::default();
    let supervisor = stage.workers(&seen);
    let story = async {
        stage.queue(0..1).await;
        eventually(SOON, "the first message", async || seen.len() == 1).await;
        stage.direct.producer().delay(stage.truth.name(), &json!(1)).await.unwrap();
        stage.redis.pause().unwrap();
        let hung = Instant::now();
        let mut refused = 0;
        // Each of them is bounded, however long Redis hangs.
        while hung.elapsed() < Duration::from_secs(10) {
            let begun = Instant::now();
            stage.through.producer().queue(stage.products.name(), &json!("hung")).await.unwrap_err();
            assert!(begun.elapsed() < GIVES_UP, "{:?}", begun.elapsed());
            refused += 1;
        }
        assert!(refused >= 2);
        stage.redis.resume().unwrap();
        eventually(BACK, "the producer", async || {
            stage.through.producer().queue(stage.products.name(), &json!(2)).await.is_ok()
        })
        .await;
        forward_until(&stage, "what came before and after the hang", async || {
            let seen = seen.payloads();
            seen.contains(&json!(1)) && seen.contains(&json!(2))
        })
        .await;
        eventually(BACK, "the trimmer", async || stage.truth.is_empty().await.unwrap()).await;
    };
    supervisor.run_until(story).await.unwrap();
}

/// Lists go in pipelines, whose refusals redis-rs reports differently from that of a single command.
#[tokio::test]
async fn a_list_waits_for_a_redis_that_is_busy_with_a_script_as_one_message_does() {
    let stage = Stage::new().await;
    let producer = stage.direct.producer();
    let messages = [1, 2, 3].map(|n| NewMessage::new(stage.truth.name().clone(), Payload::encode(&n).unwrap()));
    producer.queue_all(&messages[..1]).await.unwrap();
    let mut busy = raw_redis(&stage.redis.url()).await;
    let limit = redis::cmd("CONFIG").arg("SET").arg("lua-time-limit").arg(10).to_owned();
    limit.exec_async(&mut busy).await.unwrap();
    let script = tokio::spawn(async move {
        let endless: redis::RedisResult<()> =
            redis::cmd("EVAL").arg("while true do end").arg(0).query_async(&mut busy).await;
        endless.expect_err("it is killed")
    });
    let mut raw = raw_redis(&stage.redis.url()).await;
    eventually(SOON, "the script to hold Redis up", async || {
        let answer: redis::RedisResult<()> = redis::cmd("PING").query_async(&mut raw).await;
        answer.is_err_and(|error| error.code() == Some("BUSY"))
    })
    .await;
    // How long Redis is busy: longer than the first pause between two attempts, so that both are refused.
    let ends = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        redis::cmd("SCRIPT").arg("KILL").exec_async(&mut raw).await.unwrap();
    };
    let (list, one, ()) = tokio::join!(producer.queue_all(&messages), producer.queue(stage.truth.name(), &"one"), ends);
    list.unwrap();
    one.unwrap();
    script.await.unwrap();
    assert_eq!(stage.messages().await.len(), 5);
}
