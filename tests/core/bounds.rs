//! Bounds: memory, connections, keys.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redstream_core::{Batch, CancellationToken, MessageId, NewMessage, Payload, Redstream, Stream, Supervisor};
use redstream_servers::RedisOptions;
use tokio::sync::Notify;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{eventually, namespace, private_redis, raw_redis, redis_url, redstream_at};

/// The maximum size of a batch: 16 MiB, and one message.
const ROOM: usize = (16 << 20) + (1 << 20) + 2;

#[tokio::test]
async fn no_batch_has_more_bytes_than_there_is_room_for_whatever_came_before() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    let key = format!("{namespace}:redstream:stream:products");
    // Small messages, which are read far ahead; then large ones while the first are handled; and again.
    add(&mut raw, &key, 5000, "payload").await;
    let (sizes, shutdown) = (Arc::new(std::sync::Mutex::new(Vec::new())), CancellationToken::new());
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (sizes, begun, go_on) = (sizes.clone(), begun.clone(), go_on.clone());
        move |batch: Batch| {
            let (sizes, begun, go_on) = (sizes.clone(), begun.clone(), go_on.clone());
            async move {
                let bytes: usize = batch.messages().iter().map(|message| message.raw().len()).sum();
                let before: usize = sizes.lock().unwrap().iter().map(|(len, _)| len).sum();
                sizes.lock().unwrap().push((batch.len(), bytes));
                if before < 3000 && before + batch.len() >= 3000 {
                    begun.notify_one();
                    go_on.notified().await;
                }
                Ok(())
            }
        }
    };
    let consumer = products.consumer("search", handler);
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { consumer.run(shutdown).await }
    });
    tokio::time::timeout(SOON, begun.notified()).await.expect("a batch in the midst of the small ones");
    add_large(&mut raw, &key, 40).await;
    add(&mut raw, &key, 3000, "payload").await;
    add_large(&mut raw, &key, 40).await;
    go_on.notify_one();
    eventually(SOON * 3, "all messages", async || products.lag("search").await.unwrap() == 0).await;
    // And after it has waited for messages.
    add_large(&mut raw, &key, 40).await;
    eventually(SOON * 3, "all messages", async || products.lag("search").await.unwrap() == 0).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
    let sizes = sizes.lock().unwrap();
    assert_eq!(sizes.iter().map(|(len, _)| len).sum::<usize>(), 8120);
    assert!(sizes.iter().all(|(_, bytes)| *bytes <= ROOM), "{sizes:?}");
    assert!(sizes.contains(&(1000, 7000)), "small ones come by the thousand: {sizes:?}");
}

#[tokio::test]
async fn what_is_moved_counted_or_handled_once_is_bounded_too() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    let key = |stream: &str| format!("{namespace}:redstream:stream:{stream}");
    add_large(&mut raw, &key("products.delay"), 40).await;
    let delayer = products.delayer(Duration::from_millis(1));
    let mut moves = Vec::new();
    while products.delay_len().await.unwrap() > 0 {
        moves.push(delayer.run_once().await.unwrap().expect("no other worker holds the lock").due);
    }
    assert_eq!((moves.iter().sum::<u64>(), moves.iter().max()), (40, Some(&1)), "{moves:?}");
    assert_eq!(products.len().await.unwrap(), 40);

    add_large(&mut raw, &key("products"), 40).await;
    let seen = Recorder::default();
    let consumer = products.consumer("search", seen.clone());
    for left in [64, 48, 32, 16, 0] {
        consumer.run_once().await.unwrap();
        assert_eq!(products.lag("search").await.unwrap(), left);
    }
}

/// In scripts: the messages are not sent over the network.
async fn add(raw: &mut MultiplexedConnection, key: &str, count: usize, payload: &str) {
    const ADD: &str = "for n = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], '*', 'payload', ARGV[2]) end";
    redis::cmd("EVAL").arg(ADD).arg(1).arg(key).arg(count).arg(payload).exec_async(raw).await.unwrap();
}

async fn add_large(raw: &mut MultiplexedConnection, key: &str, count: usize) {
    add(raw, key, count, &format!("\"{}\"", "x".repeat(1 << 20))).await;
}

/// Five million messages, one in fifty thousand a mebibyte.
#[tokio::test]
async fn a_stream_of_five_million_messages_is_handled_in_order_and_in_little_memory() {
    const MESSAGES: usize = 5_000_000;
    let server = tokio::task::spawn_blocking(|| RedisOptions::new().start()).await.unwrap().unwrap();
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    fill(&server.url(), MESSAGES).await;
    assert_eq!(products.len().await.unwrap(), MESSAGES as u64);

    let before = resident().await;
    let seen = Arc::new(std::sync::Mutex::new(Seen::default()));
    let handler = {
        let seen = seen.clone();
        move |batch: Batch| {
            seen.lock().unwrap().saw(&batch);
            std::future::ready(Ok(()))
        }
    };
    let all = async {
        let (mut last, mut peak) = (0, 0);
        loop {
            // Each check is bounded: some host must have progressed.
            last = eventually(SOON * 3, "the next messages", async || {
                let now = seen.lock().unwrap().messages;
                (now == MESSAGES || now >= last + MESSAGES / 50).then_some(now)
            })
            .await;
            peak = peak.max(resident().await);
            if last == MESSAGES {
                break;
            }
        }
        eventually(SOON, "the last commit", async || products.lag("search").await.unwrap() == 0).await;
        let grown = peak.saturating_sub(before);
        assert!(grown < 64 << 20, "{} MiB more", grown >> 20);
    };
    Supervisor::new().with(products.consumer("search", handler)).run_until(all).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!((seen.messages, seen.large), (MESSAGES, MESSAGES / 50_000));
}

#[derive(Default)]
struct Seen {
    messages: usize,
    large: usize,
    last: MessageId,
}

impl Seen {
    fn saw(&mut self, batch: &Batch) {
        for message in batch.messages() {
            assert!(message.id() > self.last, "{} after {}", message.id(), self.last);
            self.last = message.id();
            self.large += usize::from(message.raw().len() >= 1 << 20);
        }
        self.messages += batch.len();
    }
}

/// In scripts: the messages are not sent over the network.
async fn fill(url: &str, messages: usize) {
    const FILL: &str = "for n = 1, tonumber(ARGV[1]) do \
                            redis.call('XADD', KEYS[1], '*', 'payload', n) \
                        end \
                        redis.call('XADD', KEYS[1], '*', 'payload', '\"' .. string.rep('x', 1048576) .. '\"')";
    let mut raw = raw_redis(url).await;
    for _ in 0..messages / 50_000 {
        let fill = redis::cmd("EVAL").arg(FILL).arg(1).arg("redstream:stream:products").arg(49_999).to_owned();
        fill.exec_async(&mut raw).await.unwrap();
    }
}

/// The memory of this process, in bytes.
pub(super) async fn resident() -> usize {
    let pid = std::process::id().to_string();
    let ps = tokio::process::Command::new("ps").args(["-o", "rss=", "-p", &pid]).output().await.unwrap();
    String::from_utf8_lossy(&ps.stdout).trim().parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn batches_of_small_payloads_grow_to_what_was_asked_for() {
    let redstream = crate::support::redstream().await;
    let products = redstream.stream("products").unwrap();
    let message = |id: u32| NewMessage::new(products.name().clone(), Payload::encode(&id).unwrap());
    redstream.producer().queue_all(&(0..5000).map(message).collect::<Vec<_>>()).await.unwrap();
    let seen = Recorder::default();
    let all = async { eventually(SOON, "all messages", async || seen.len() == 5000).await };
    Supervisor::new().with(products.consumer("search", seen.clone())).run_until(all).await.unwrap();
    let sizes: Vec<usize> = seen.batches().iter().map(Vec::len).collect();
    assert!(sizes.contains(&1000) && sizes.iter().all(|size| *size <= 1000), "{sizes:?}");
}

#[tokio::test]
async fn starting_and_stopping_leaves_no_connection_no_task_and_no_key_behind() {
    let server = private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let streams: Vec<_> = (0..8).map(|n| redstream.stream(format!("products-{n}")).unwrap()).collect();
    let mut raw = raw_redis(&server.url()).await;
    let clients = async |raw: &mut redis::aio::MultiplexedConnection| {
        let info: String = redis::cmd("INFO").arg("clients").query_async(raw).await.unwrap();
        let count = info.lines().find_map(|line| line.strip_prefix("connected_clients:")).unwrap().to_owned();
        count.trim().parse::<usize>().unwrap()
    };
    let cycle = async |products: &Stream| {
        let supervisor = Supervisor::new()
            .with(products.consumer("search", Recorder::default()))
            .with(products.delayer(Duration::from_secs(60)))
            .with(products.trimmer());
        let health = supervisor.health();
        supervisor.run_until(eventually(SOON * 3, "the workers", async || health.is_ready())).await.unwrap();
    };
    // Concurrently: a cycle mostly waits.
    let round = async || {
        futures_util::future::join_all(streams.iter().map(&cycle)).await;
    };
    round().await;
    let before = clients(&mut raw).await;
    let keys: usize = redis::cmd("DBSIZE").query_async(&mut raw).await.unwrap();
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for _ in 0..10_000 / streams.len() {
        round().await;
    }
    eventually(SOON, "the connections to be closed", async || clients(&mut raw).await <= before).await;
    let after: usize = redis::cmd("DBSIZE").query_async(&mut raw).await.unwrap();
    assert!(after <= keys, "{keys} keys became {after}");
    eventually(SOON, "the tasks to end", async || {
        tokio::runtime::Handle::current().metrics().num_alive_tasks() <= tasks
    })
    .await;
}

#[tokio::test]
async fn taking_and_releasing_a_lock_again_and_again_leaves_no_key_and_no_task_behind() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    let lock = products.lock("search", Duration::from_secs(60)).unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    let name = format!("*{namespace}*");
    let keys = async |raw: &mut redis::aio::MultiplexedConnection| {
        redis::cmd("KEYS").arg(&name).query_async::<Vec<String>>(raw).await.unwrap().len()
    };
    drop(lock.try_acquire().await.unwrap());
    eventually(SOON, "the release", async || keys(&mut raw).await == 2).await;
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for _ in 0..2500 {
        lock.acquire_within(SOON).await.unwrap().expect("it is free").release().await.unwrap();
    }
    eventually(SOON, "the tasks to end", async || {
        tokio::runtime::Handle::current().metrics().num_alive_tasks() <= tasks
    })
    .await;
    assert_eq!(keys(&mut raw).await, 2, "the registry and one wake-up");
}
