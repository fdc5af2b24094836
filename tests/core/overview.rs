//! What an operator sees: every stream, its consumers and its workers.

use std::time::Duration;

use redstream_core::{
    Batch, ConnectOptions, ConsumerState, HandlerError, MessageId, NewMessage, Payload, Redstream, Start, Stream,
    Supervisor,
};
use redstream_servers::{Redis, RedisEdition, RedisOptions};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use super::rights::{allow, besides, needed};
use crate::support::nodes::Cluster;
use crate::support::{eventually, namespace, raw_redis, redis_url, redstream, redstream_at};

async fn add(redstream: &Redstream, stream: &Stream, ids: std::ops::Range<i64>) {
    let messages: Vec<_> =
        ids.map(|id| NewMessage::new(stream.name().clone(), Payload::encode(&id).unwrap())).collect();
    redstream.producer().queue_all(&messages).await.unwrap();
}

async fn names(redstream: &Redstream) -> Vec<String> {
    redstream.streams().await.unwrap().iter().map(|stream| stream.name().to_string()).collect()
}

#[tokio::test]
async fn each_stream_of_the_namespace_is_found_and_no_other() {
    let (own, other) = (namespace(), namespace());
    let redstream = redstream_at(&redis_url(), &own).await;
    assert_eq!(names(&redstream).await, [""; 0]);
    let stream = |name| redstream.stream(name).unwrap();
    // By a main message, a delay message, a registered consumer and a dead letter.
    redstream.producer().queue(stream("written").name(), &1).await.unwrap();
    redstream.producer().delay(stream("delayed:eu").name(), &1).await.unwrap();
    stream("read").register("search", Start::Earliest).await.unwrap();
    let ended = stream("ended");
    redstream.producer().queue(ended.name(), &1).await.unwrap();
    let bad = async |batch: Batch| Err::<(), _>(HandlerError::permanent(batch.messages()[0].id(), "bad"));
    let worker = Supervisor::new().with(ended.consumer("search", bad));
    let dead_letter = eventually(SOON, "the dead letter", async || {
        ended.dead_letters("search").unwrap().count().await.unwrap_or(0) == 1
    });
    worker.run_until(dead_letter).await.unwrap();
    redstream_at(&redis_url(), &other).await.stream("foreign").unwrap().register("x", Start::Earliest).await.unwrap();
    assert_eq!(names(&redstream).await, ["delayed:eu", "ended", "read", "written"]);
    let overview = redstream.overview().await.unwrap();
    assert_eq!(overview.streams.len(), 4);
    assert_eq!((overview.namespace.as_deref(), &overview.unreadable[..]), (Some(&*own), &[][..]));
    assert_eq!(overview.streams[1].consumers[0].dead_letters, 1);
}

#[tokio::test]
async fn messages_consumers_and_workers_of_a_stream_are_told() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let empty = products.overview().await.unwrap();
    assert_eq!((empty.entries, empty.last_id, empty.consumers.len()), (0, MessageId::MIN, 0));
    assert_eq!((empty.oldest, empty.delayer.delay, empty.trimmer_runs), (None, None, false));

    products.register("search", Start::Earliest).await.unwrap();
    products.register("cache", Start::Earliest).await.unwrap();
    products.consumer("search", Recorder::default()).identity("the shop").run_once().await.unwrap();
    add(&redstream, &products, 0..5).await;
    products.consumer("search", Recorder::default()).identity("the shop").run_once().await.unwrap();
    add(&redstream, &products, 5..8).await;
    redstream.producer().delay(products.name(), &1).await.unwrap();
    assert!(products.pause("cache", SOON).await.unwrap());

    let seen = products.overview().await.unwrap();
    let [cache, search] = &seen.consumers[..] else { panic!("{seen:?}") };
    assert_eq!((cache.name.as_str(), cache.lag, cache.offset, cache.state), ("cache", 8, None, ConsumerState::Paused));
    assert_eq!((search.name.as_str(), search.lag, search.lag_is_more), ("search", 3, false));
    assert_eq!(search.offset, products.offsets().get("search").await.unwrap());
    assert_eq!((search.identity.as_deref(), search.is_registered), (Some("the shop"), true));
    assert!(search.behind.unwrap() <= cache.behind.unwrap(), "{seen:?}");
    assert!(cache.registered_at.unwrap() <= seen.at);
    assert_eq!((seen.last_id, seen.delayer.entries), (products.last_id().await.unwrap(), 1));
    assert!(seen.bytes.unwrap() > 0 && seen.oldest.is_some() && seen.delayer.oldest.is_some());
    assert!(!seen.delayer.runs && !seen.trimmer_runs);

    assert_eq!((&seen.delayer.holder, &seen.trimmer_holder, &search.holder), (&None, &None, &None));
    let _held = products.lock("search", SOON).unwrap().try_acquire().await.unwrap();
    let workers = Supervisor::new().with(products.delayer(Duration::from_secs(77))).with(products.trimmer());
    let look = eventually(SOON, "the workers", async || {
        let seen = products.overview().await.unwrap();
        let delayer = &seen.delayer;
        (delayer.runs && delayer.delay == Some(Duration::from_secs(77)) && seen.trimmer_runs)
            && seen.consumers[1].state == ConsumerState::Running
            // All run in this process.
            && [&seen.delayer.holder, &seen.trimmer_holder, &seen.consumers[1].holder]
                .iter()
                .all(|holder| holder.as_ref().is_some_and(|holder| holder.pid == std::process::id() && !holder.host.is_empty()))
    });
    Box::pin(workers.run_until(look)).await.unwrap();
}

#[tokio::test]
async fn it_reads_as_json_with_durations_in_milliseconds() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    products.register("search", Start::Earliest).await.unwrap();
    add(&redstream, &products, 0..2).await;
    let json = serde_json::to_value(redstream.overview().await.unwrap()).unwrap();
    let stream = &json["streams"][0];
    assert_eq!((&stream["name"], &stream["consumers"][0]["lag"]), (&json!("products"), &json!(2)));
    assert!(stream["consumers"][0]["behind_ms"].is_u64() && stream["consumers"][0]["offset"].is_null(), "{json}");
    assert_eq!(stream["last_id"], json!(products.last_id().await.unwrap().to_string()));
    assert!(json["servers"][0]["used_memory"].as_u64().unwrap() > 0, "{json}");
}

#[tokio::test]
async fn a_long_lag_is_not_counted_to_its_end() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    products.register("search", Start::Earliest).await.unwrap();
    for first in (0..120_000).step_by(20_000) {
        add(&redstream, &products, first..first + 20_000).await;
    }
    let search = products.overview().await.unwrap().consumers.remove(0);
    assert!(search.lag >= 100_000 && search.lag < 120_000 && search.lag_is_more, "{search:?}");
}

#[tokio::test]
async fn a_consumer_of_the_gem_is_found_by_its_offset() {
    let own = namespace();
    let redstream = redstream_at(&redis_url(), &own).await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..3).await;
    let mut raw = raw_redis(&redis_url()).await;
    let key = format!("{own}:redstream:offset:products:gem");
    let () = redis::cmd("SET").arg(&key).arg("0-1").query_async(&mut raw).await.unwrap();
    let gem = redstream.overview().await.unwrap().streams.remove(0).consumers.remove(0);
    assert_eq!((gem.name.as_str(), gem.is_registered, gem.lag, gem.identity), ("gem", false, 3, None));

    let () = redis::cmd("SET").arg(&key).arg("nonsense").query_async(&mut raw).await.unwrap();
    redstream.stream("others").unwrap().register("search", Start::Earliest).await.unwrap();
    let overview = redstream.overview().await.unwrap();
    assert_eq!(overview.streams.len(), 1, "the others are there");
    assert_eq!(overview.unreadable[0].name.as_str(), "products");
    assert!(overview.unreadable[0].error.contains("is not a message id"), "{overview:?}");
}

#[tokio::test]
async fn each_redis_and_protocol_is_looked_at() {
    for edition in [RedisEdition::System, RedisEdition::Redis6_2, RedisEdition::Redis8_2, RedisEdition::Valkey] {
        let server = start(RedisOptions::new().edition(edition)).await;
        for protocol in ["", "1?protocol=resp3"] {
            let redstream = Redstream::connect(format!("{}{protocol}", server.url())).await.unwrap();
            let products = redstream.stream("products").unwrap();
            products.register("search", Start::Earliest).await.unwrap();
            add(&redstream, &products, 0..3).await;
            let overview = redstream.overview().await.unwrap();
            assert_eq!(overview.streams[0].consumers[0].lag, 3, "{edition:?}");
            let server = &overview.servers[0];
            assert_eq!(server.name.as_deref() == Some("valkey"), edition == RedisEdition::Valkey, "{server:?}");
            assert!(server.version.is_some() && server.used_memory.is_some_and(|bytes| bytes > 0), "{server:?}");
            assert_eq!(server.eviction_policy.as_deref(), Some("noeviction"), "{server:?}");
        }
    }
}

async fn start(options: RedisOptions) -> Redis {
    tokio::task::spawn_blocking(move || options.start()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_user_without_rights_sees_what_it_may() {
    let server = start(RedisOptions::new()).await;
    let mut rules = needed();
    rules.extend(besides("an overview of all streams"));
    allow(&server.url(), &rules).await;
    let url = server.url().replace("redis://", "redis://app:secret@");
    let redstream = redstream_at(&url, "shop").await;
    redstream.stream("products").unwrap().register("search", Start::Earliest).await.unwrap();
    let overview = redstream.overview().await.unwrap();
    assert_eq!((overview.streams[0].bytes, &overview.servers[0].version), (None, &None));
    assert_eq!(overview.streams[0].consumers[0].name, "search");
}

#[tokio::test]
async fn streams_of_every_master_of_a_cluster_are_found() {
    let cluster = Cluster::start().await;
    let redstream = Redstream::connect(ConnectOptions::namespace(cluster.options(), "shop")).await.unwrap();
    let wanted: Vec<_> = (10..60).map(|number| format!("stream-{number}")).collect();
    for name in &wanted {
        add(&redstream, &redstream.stream(name).unwrap(), 0..2).await;
    }
    assert_eq!(names(&redstream).await, wanted);
    let overview = redstream.overview().await.unwrap();
    assert_eq!((overview.servers.len(), overview.streams.len(), overview.unreadable.len()), (3, 50, 0));
    assert!(overview.streams.iter().all(|stream| stream.entries == 1 || stream.entries == 2));
}
