//! Redis that is down, full, read-only or silent.

use redstream_proxy::{Fault, Proxy};
use redstream_servers::{Redis, RedisOptions};

use super::*;
use crate::support::{Logs, eventually, redis_code};

async fn private(options: RedisOptions) -> Redis {
    tokio::task::spawn_blocking(move || options.start().unwrap()).await.unwrap()
}

fn impatient(url: &str) -> ConnectOptions {
    ConnectOptions::new(url).give_up_after(Duration::from_millis(300)).response_timeout(Duration::from_millis(200))
}

#[tokio::test]
async fn readers_load_while_redis_does_not_answer_and_use_it_again_afterwards() {
    let redis = private(RedisOptions::new()).await;
    let place = Place::at(&redis.url()).await;
    place.fill(1, named("cached")).await;
    let logs = Logs::capture();
    redis.pause().unwrap();
    let cache = place.cache.clone().patience(Duration::from_millis(50));
    for nth in 0..3 {
        let Ok(loaded) = cache.get_or_load(&Key::new(1), async || Ok::<_, Infallible>(Some(json!(nth)))).await;
        assert_eq!(loaded, Some(json!(nth)));
    }
    let refused = cache.try_get_or_load(&Key::new(1), async || Ok::<_, Infallible>(Some(json!(4)))).await.unwrap_err();
    assert!(matches!(refused, LoadError::Cache(Error::Timeout { .. })), "{refused:?}");
    assert_eq!(logs.text().matches("the cache does not answer").count(), 1, "{}", logs.text());
    redis.resume().unwrap();
    eventually(SOON, "the cache to be read again", async || place.cache.get(&Key::new(1)).await.is_ok()).await;
    assert_eq!(place.get(1).await, Some(named("cached")));
    assert!(logs.has(&["INFO", "answers again"]), "{}", logs.text());
}

#[tokio::test]
async fn one_reader_waits_for_a_redis_that_is_down_and_the_others_do_not() {
    let redis = private(RedisOptions::new()).await;
    let place = Place::at(&redis.url()).await;
    redis.pause().unwrap();
    let short = place.cache.clone().patience(Duration::from_millis(20));
    short.get(&Key::new(1)).await.unwrap_err();
    let waiting = tokio::spawn({
        let cache = place.cache.clone();
        async move { cache.get(&Key::new(1)).await }
    });
    eventually(SOON, "another reader not to wait", async || {
        matches!(short.get(&Key::new(1)).await, Err(Error::Unavailable { .. }))
    })
    .await;
    redis.resume().unwrap();
    assert!(waiting.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_full_or_read_only_redis_fails_the_batch_and_not_its_records() {
    let redis = private(RedisOptions::new()).await;
    let place = Place::with(impatient(&redis.url()), &redis.url()).await;
    let batch = || changes(5, [(1, named("Ulm"))], &[2]);
    let set = async |name: &str, value: &str| {
        let mut raw = place.raw.clone();
        redis::cmd("CONFIG").arg("SET").arg(name).arg(value).exec_async(&mut raw).await.unwrap();
    };
    set("maxmemory", "1").await;
    let Error::Redis { source, .. } = error_of(write(&place.cache, batch()).await) else { panic!("another error") };
    assert_eq!(redis_code(&source).as_deref(), Some("OOM"), "{source:?}");
    set("maxmemory", "0").await;

    redis::cmd("REPLICAOF").arg("127.0.0.1").arg(1).exec_async(&mut place.raw.clone()).await.unwrap();
    for failed in [write(&place.cache, batch()).await, evict(&place.cache, &[1]).await] {
        let error = error_of(failed);
        assert!(matches!(&error, Error::Redis { source, .. } if source.is_transient()), "{error:?}");
    }
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec_async(&mut place.raw.clone()).await.unwrap();
    write(&place.cache, batch()).await.unwrap();
    assert_eq!(place.get(1).await, Some(named("Ulm")));
}

#[tokio::test]
async fn lost_replies_change_nothing() {
    let redis = private(RedisOptions::new()).await;
    let proxy = Proxy::start(redis.port()).await.unwrap();
    let place = Place::with(ConnectOptions::new(proxy.url()), &redis.url()).await;
    for fault in [Fault::BreakBefore, Fault::BreakInstead, Fault::BreakWithin] {
        proxy.strike("EVALSHA", fault, 1);
        let batch = changes(5, [(1, named("Ulm"))], &[2]);
        write(&place.cache, batch).await.unwrap();
        assert_eq!((place.get(1).await, place.get(2).await), (Some(named("Ulm")), None), "{fault:?}");
        proxy.strike("UNLINK", fault, 1);
        evict(&place.cache, &[1]).await.unwrap();
        assert_eq!(place.get(1).await, None, "{fault:?}");
        proxy.strike("EVALSHA", fault, 1);
        assert_eq!(place.fill(1, named("filled")).await, Some(named("filled")));
        assert_eq!(place.get(1).await, Some(named("filled")), "{fault:?}");
    }
}

#[tokio::test]
async fn each_server_of_a_cluster_has_its_entries() {
    let cluster = crate::support::nodes::Cluster::start().await;
    let urls = cluster.nodes.iter().map(Redis::url);
    let place = Place::with(ConnectOptions::cluster(urls), &cluster.nodes[0].url()).await;
    let all = || 0..30_i64;
    write(&place.cache, changes(5, all().map(|id| (id, json!(id))), &[])).await.unwrap();
    for id in all() {
        assert_eq!(place.get(id).await, Some(json!(id)));
    }
    let (failed, _) = failures_of(write(&place.cache, changes(4, all().map(|id| (id, json!("late"))), &[])).await);
    assert!(failed.starts_with("30 records"), "{failed}");
    evict(&place.cache, &all().collect::<Vec<_>>()).await.unwrap();
    for id in all() {
        assert_eq!(place.get(id).await, None);
        place.fill(id, json!("filled")).await;
        assert_eq!(place.get(id).await, Some(json!("filled")));
    }
}

/// The others go on using the cache.
#[tokio::test]
async fn an_entry_that_redis_refuses_is_told_and_is_no_outage() {
    let redis = private(RedisOptions::new()).await;
    let place = Place::at(&redis.url()).await;
    place.fill(2, named("cached")).await;
    redis::cmd("SET").arg(place.entry(1)).arg("text").exec_async(&mut place.raw.clone()).await.unwrap();
    let logs = Logs::capture();
    for nth in 0..3 {
        let Ok(loaded) = place.cache.get_or_load(&Key::new(1), async || Ok::<_, Infallible>(Some(json!(nth)))).await;
        assert_eq!(loaded, Some(json!(nth)));
        assert_eq!(place.get(2).await, Some(named("cached")));
    }
    let refused = place.cache.get(&Key::new(1)).await.unwrap_err();
    assert!(matches!(&refused, Error::WrongType { entry } if *entry == place.entry(1)), "{refused:?}");
    assert!(!logs.has(&["does not answer"]) && !logs.has(&["answers again"]), "{}", logs.text());
    assert!(logs.has(&["WARN", &place.entry(1), "remove it"]), "{}", logs.text());
}
