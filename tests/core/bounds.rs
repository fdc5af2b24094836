//! What is bounded: memory, connections, keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redstream_core::{Batch, MessageId, NewMessage, Payload, Redstream, Stream, Supervisor};
use redstream_servers::RedisOptions;

use super::SOON;
use super::recorder::Recorder;
use crate::support::{eventually, namespace, private_redis, raw_redis, redis_url, redstream_at};

#[tokio::test]
async fn batches_of_large_payloads_are_small() {
    let redstream = crate::support::redstream().await;
    let products = redstream.stream("products").unwrap();
    let mebibyte = "x".repeat(1 << 20);
    for _ in 0..100 {
        redstream.producer().queue(products.name(), &mebibyte).await.unwrap();
    }
    let (largest, handled) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let handler = {
        let (largest, handled) = (largest.clone(), handled.clone());
        move |batch: Batch| {
            // Nobody knows how large they are before the first has been read.
            if handled.fetch_add(batch.len(), Ordering::SeqCst) > 0 {
                largest.fetch_max(batch.len(), Ordering::SeqCst);
            }
            std::future::ready(Ok(()))
        }
    };
    let all = async {
        eventually(SOON * 3, "all messages", async || handled.load(Ordering::SeqCst) == 100).await;
    };
    Supervisor::new().with(products.consumer("search", handler)).run_until(all).await.unwrap();
    let largest = largest.load(Ordering::SeqCst);
    assert!((1..=16).contains(&largest), "{largest} payloads of a mebibyte in one batch");
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
            // Each look is bounded: somebody must have come further.
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

/// In scripts: the messages need not travel.
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
async fn resident() -> usize {
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
    // Side by side: a cycle mostly waits.
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
