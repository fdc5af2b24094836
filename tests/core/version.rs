//! Versions grow, whichever host issues them.

use std::sync::{Arc, Mutex};

use redstream_core::{Batch, Consumer, Stream};

use super::SOON;
use crate::support::{eventually, namespace, raw_redis, redis_url, redstream_at};

fn recording(products: &Stream, versions: &Arc<Mutex<Vec<u64>>>) -> Consumer {
    let versions = versions.clone();
    products
        .consumer("search", move |batch: Batch| {
            let versions = versions.clone();
            async move {
                let version = batch.version().await?;
                assert_eq!(version, batch.version().await?, "one attempt has one version");
                versions.lock().unwrap().push(version);
                Ok(())
            }
        })
        .batch_size(3)
}

#[tokio::test]
async fn each_batch_has_a_greater_one_over_handovers_and_a_clock_that_stepped_back() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    let versions = Arc::default();
    let add = async |n: usize| {
        for id in 0..n {
            redstream.producer().queue(products.name(), &id).await.unwrap();
        }
    };

    add(6).await;
    for _ in 0..2 {
        // A consumer of its own each time: another host, as far as Redis can tell.
        recording(&products, &versions).run_once().await.unwrap();
    }
    // For a stored version in the future the clock has stepped back.
    let ahead: u64 = 4_000_000_000_000_000;
    let mut raw = raw_redis(&redis_url()).await;
    let key = format!("{namespace}:redstream:version:products:search");
    let () = redis::cmd("SET").arg(&key).arg(ahead).query_async(&mut raw).await.unwrap();
    add(30).await;
    let shutdown = redstream_core::CancellationToken::new();
    let running = tokio::spawn({
        let (consumer, shutdown) = (recording(&products, &versions), shutdown.clone());
        async move { consumer.run(shutdown).await }
    });
    eventually(SOON, "all batches", async || products.lag("search").await.unwrap() == 0).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();

    let versions = versions.lock().unwrap().clone();
    assert!(versions.len() >= 12, "{versions:?}");
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    assert!(versions[2] > ahead, "{versions:?}");
}

#[tokio::test]
async fn it_is_the_clock_of_redis_in_microseconds() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    let clock = async |raw: &mut redis::aio::MultiplexedConnection| {
        let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(raw).await.unwrap();
        seconds * 1_000_000 + micros
    };
    redstream.producer().queue(products.name(), &1).await.unwrap();
    let versions = Arc::default();
    let before = clock(&mut raw).await;
    recording(&products, &versions).run_once().await.unwrap();
    let after = clock(&mut raw).await;
    let version = versions.lock().unwrap()[0];
    assert!(before < version && version < after, "{before} {version} {after}");
}
