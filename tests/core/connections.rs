//! Connections with our own protocol code: on any Redis, and however a call ends, each call gets its own reply.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redstream_core::{
    CancellationToken, ConnectOptions, MessageId, NewMessage, Payload, Redstream, Stream, Supervisor, WorkerHealth,
    WorkerState,
};
use redstream_servers::{Redis, RedisOptions};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{Logs, eventually, private_redis, raw_redis, redstream};

fn message(stream: &Stream, payload: &Value) -> NewMessage {
    NewMessage::new(stream.name().clone(), Payload::encode(payload).unwrap())
}

/// The entry with this id.
async fn payload_at(server: &Redis, key: &str, id: MessageId) -> Value {
    let mut raw = raw_redis(&server.url()).await;
    let (at, mut xrange) = (id.to_string(), redis::cmd("XRANGE"));
    let found: Vec<(String, Vec<String>)> = xrange.arg(key).arg(&at).arg(&at).query_async(&mut raw).await.unwrap();
    serde_json::from_str(&found[0].1[1]).unwrap()
}

#[tokio::test]
async fn a_password_a_database_and_a_unix_socket_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock").display().to_string();
    let options = RedisOptions::new().arg("--requirepass").arg("secret").arg("--unixsocket").arg(&socket);
    let server = tokio::task::spawn_blocking(|| options.start()).await.unwrap().unwrap();
    let tcp = format!("redis://:secret@127.0.0.1:{}/3", server.port());
    for (url, database) in [(tcp, 3), (format!("redis+unix://{socket}?db=4&pass=secret"), 4)] {
        let redstream = Redstream::connect(url.as_str()).await.unwrap();
        let products = redstream.stream("products").unwrap();
        let (seen, shutdown) = (Recorder::default(), CancellationToken::new());
        let consumer = products.consumer("search", seen.clone());
        let running = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { consumer.run(shutdown).await }
        });
        for n in 0..3 {
            redstream.producer().queue(products.name(), &n).await.unwrap();
        }
        eventually(SOON, "the messages", async || seen.len() == 3).await;
        assert!(redstream.producer().delay_early(&[message(&products, &json!(4))]).is_some(), "{url}");
        shutdown.cancel();
        running.await.unwrap().unwrap();
        let mut raw = raw_redis(&url).await;
        let key = "redstream:stream:products";
        let there: u64 = redis::cmd("XLEN").arg(key).query_async(&mut raw).await.unwrap();
        assert_eq!((there, seen.payloads()), (3, vec![json!(0), json!(1), json!(2)]), "database {database}");
    }
}

#[tokio::test]
async fn a_reply_to_a_dropped_call_is_not_taken_for_another_one() {
    let server = private_redis().await;
    let options = ConnectOptions::new(server.url()).response_timeout(SOON);
    let redstream = Redstream::connect(options).await.unwrap();
    let (producer, products) = (redstream.producer(), redstream.stream("products").unwrap());
    producer.queue(products.name(), &"first").await.unwrap();
    for n in 0..5 {
        server.pause().unwrap();
        let dropped =
            tokio::time::timeout(Duration::from_millis(20), producer.queue(products.name(), &"dropped")).await;
        assert!(dropped.is_err(), "Redis is paused");
        server.resume().unwrap();
        let id = producer.queue(products.name(), &n).await.unwrap();
        assert_eq!(payload_at(&server, "redstream:stream:products", id).await, json!(n));

        drop(producer.delay_early(&[message(&products, &json!("dropped"))]).expect("it is open"));
        let id = producer.queue(products.name(), &json!([n])).await.unwrap();
        assert_eq!(payload_at(&server, "redstream:stream:products", id).await, json!([n]));
    }
}

#[tokio::test]
async fn early_delay_messages_land_under_the_ids_that_they_say() {
    let server = private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let (producer, products) = (redstream.producer(), redstream.stream("products").unwrap());
    let messages = [message(&products, &json!(1)), message(&products, &json!(2))];
    assert!(producer.delay_early(&messages).is_none(), "its connection is not open yet");
    producer.queue(products.name(), &0).await.unwrap();
    assert!(producer.delay_early(&[]).is_none());

    let mut early = producer.delay_early(&messages).expect("it is open");
    let mut also = producer.delay_early(&messages[1..]).expect("it serves several callers");
    producer.queue(products.name(), &3).await.unwrap();
    for (early, expected) in [(&mut also, &messages[1..]), (&mut early, &messages[..])] {
        let reply = tokio::time::timeout(SOON, poll_fn(|context| early.poll_acknowledged(context))).await;
        let ids = reply.expect("an answer in time").expect("all were added");
        assert_eq!(ids.len(), expected.len());
        for (id, message) in ids.into_iter().zip(expected) {
            let payload: Value = serde_json::from_str(message.payload.as_str()).unwrap();
            assert_eq!(payload_at(&server, "redstream:stream:products.delay", id).await, payload);
        }
    }
}

#[tokio::test]
async fn early_delay_messages_say_that_they_did_not_land() {
    let mut server = private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let (producer, products) = (redstream.producer(), redstream.stream("products").unwrap());
    let messages = [message(&products, &json!(1))];
    producer.queue(products.name(), &0).await.unwrap();

    // Refused.
    let mut raw = raw_redis(&server.url()).await;
    let set = |value| redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(value).to_owned();
    set("1").query_async::<()>(&mut raw).await.unwrap();
    let mut early = producer.delay_early(&messages).unwrap();
    let reply = tokio::time::timeout(SOON, poll_fn(|context| early.poll_acknowledged(context))).await;
    assert_eq!(reply.expect("an answer"), None);
    set("0").query_async::<()>(&mut raw).await.unwrap();
    drop(early);
    assert!(producer.delay_early(&messages).is_none(), "that connection is no longer trusted");
    producer.queue(products.name(), &0).await.unwrap();

    // Cut off.
    server.pause().unwrap();
    let mut early = producer.delay_early(&messages).unwrap();
    server.kill().unwrap();
    let reply = tokio::time::timeout(SOON, poll_fn(|context| early.poll_acknowledged(context))).await;
    assert_eq!(reply.expect("the end of the connection"), None);
}

#[tokio::test]
async fn many_at_once_and_one_alone_get_their_own_answers() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let queued = (0..500).map(|n| {
        let (producer, name) = (redstream.producer(), products.name().clone());
        tokio::spawn(async move { (producer.queue(&name, &n).await.unwrap(), json!(n)) })
    });
    let mut expected: Vec<_> = futures_util::future::try_join_all(queued).await.unwrap();
    expected.sort_by_key(|(id, _)| *id);
    let seen = Recorder::default();
    products.consumer("search", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.ids().into_iter().zip(seen.payloads()).collect::<Vec<_>>(), expected);
}

/// Redis has room for the handle, for the connection of all workers, and for one that waits.
#[tokio::test]
async fn workers_that_find_no_room_are_not_live_and_are_told_of_in_few_lines() {
    const WORKERS: usize = 40;
    let server = private_redis().await;
    let mut raw = raw_redis(&server.url()).await;
    let set = async |raw: &mut MultiplexedConnection, clients: usize| {
        redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(clients).exec_async(raw).await.unwrap();
    };
    let redstream = Redstream::connect(server.url()).await.unwrap();
    set(&mut raw, 4).await;
    let logs = Logs::capture();
    let mut supervisor = Supervisor::new().patience(Duration::from_millis(500));
    for n in 0..WORKERS {
        let stream = redstream.stream(format!("products-{n}")).unwrap();
        supervisor = supervisor.with(stream.consumer("search", Recorder::default()));
    }
    let health = supervisor.health();
    let story = async {
        let at_work = async || health.workers().iter().filter(|worker| worker.state == WorkerState::Idle).count();
        eventually(SOON, "one to be at work", async || at_work().await >= 1).await;
        eventually(SOON, "others not to be live", async || !health.is_live()).await;
        assert!(!health.is_ready() && at_work().await < WORKERS);
        let text = logs.text();
        let about_it =
            |line: &&str| !line.contains("DEBUG") && (line.contains("onnect") || line.contains("worked with"));
        let told = text.lines().filter(about_it).count();
        assert!(told <= 5, "{told} lines: {text}");
        set(&mut raw, 1000).await;
        eventually(SOON, "room for all", async || health.is_ready() && health.is_live()).await;
        let list: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut raw).await.unwrap();
        let clients = list.lines().count();
        // Sixteen that wait alone and one for all others, one for commands, two of the handle, eight that are kept, and
        // the test's own.
        assert!(clients <= 29, "{clients}");
    };
    supervisor.run_until(story).await.unwrap();
}

/// A server that accepts, and never answers, is not overrun by hundreds of workers that start at once: one connects for
/// all, and no worker waits for the attempts of the others.
#[tokio::test]
async fn one_worker_connects_for_all() {
    const TIMEOUT: Duration = Duration::from_millis(200);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}/", listener.local_addr().unwrap());
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let accepting = tokio::spawn({
        let (now, most) = (now.clone(), most.clone());
        async move {
            while let Ok((mut client, _)) = listener.accept().await {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let now = now.clone();
                tokio::spawn(async move {
                    while client.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        }
    });
    let _accepting = tokio_util::task::AbortOnDropHandle::new(accepting);
    let options = ConnectOptions::new(url).connect_timeout(TIMEOUT).response_timeout(TIMEOUT).lazy();
    let redstream = Redstream::connect(options).await.unwrap();
    let mut supervisor = Supervisor::new();
    for n in 0..200 {
        supervisor = supervisor.with(redstream.stream(format!("products-{n}")).unwrap().trimmer());
    }
    let health = supervisor.health();
    // One after the other they would take 40 seconds.
    let has_failed = |worker: &WorkerHealth| worker.state == WorkerState::Failing;
    let all_have_failed = eventually(SOON, "all to have tried", async || health.workers().iter().all(has_failed));
    supervisor.run_until(all_have_failed).await.unwrap();
    let most = most.load(Ordering::SeqCst);
    // And earlier ones that this machine has not closed yet.
    assert!(most <= 20, "{most} at once");
}

/// Tells this test binary that it is a child with few file descriptors, and the address of Redis.
const FEW_FILES: &str = "REDSTREAM_TEST_FEW_FILES";

/// Does nothing unless it is started as a child.
#[tokio::test]
async fn child_with_few_files() {
    let Ok(url) = std::env::var(FEW_FILES) else { return };
    let redstream = Redstream::connect(url.as_str()).await.unwrap();
    let logs = Logs::capture();
    let mut supervisor = Supervisor::new().patience(Duration::from_millis(500));
    for n in 0..60 {
        let stream = redstream.stream(format!("products-{n}")).unwrap();
        supervisor = supervisor.with(stream.consumer("search", Recorder::default()));
    }
    let health = supervisor.health();
    let story = async {
        let at_work = || health.workers().iter().filter(|worker| worker.state == WorkerState::Idle).count();
        let told = || {
            let about_it = |line: &&str| !line.contains("DEBUG") && line.contains("worked with");
            logs.text().lines().filter(about_it).map(str::to_owned).collect::<Vec<_>>()
        };
        eventually(SOON, "some to be at work, and others not to be live", async || {
            at_work() >= 1 && !health.is_live() && !told().is_empty()
        })
        .await;
        assert!(!health.is_ready());
        let told = told();
        assert!(told.len() == 1 && told[0].contains("Too many open files"), "{told:?}");
    };
    supervisor.run_until(story).await.unwrap();
}

#[tokio::test]
async fn workers_without_file_descriptors_are_not_live_and_are_told_of_in_one_line() {
    let server = private_redis().await;
    let limited = format!("ulimit -n 26; exec {} --exact core::connections::child_with_few_files", exe());
    let child = tokio::process::Command::new("sh").args(["-c", &limited]).env(FEW_FILES, server.url()).output();
    let output = tokio::time::timeout(SOON * 3, child).await.expect("it ends").unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn exe() -> String {
    std::env::current_exe().unwrap().display().to_string()
}
