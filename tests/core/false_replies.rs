//! A server that sends false replies: whatever bytes it sends, the result is an error or nothing, no more memory is
//! used than there were bytes, and work continues once the replies are true.

use std::collections::HashSet;
use std::time::Duration;

use redstream_core::{ConnectOptions, Error, Redstream, Stream, Supervisor};
use redstream_proxy::{Fault, Proxy};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::recorder::Recorder;
use crate::support::{eventually, private_redis};

/// The bound on recovery, with room for a slow machine.
const BACK: Duration = Duration::from_secs(30);

/// False lengths, unexpected types, and bytes that are no protocol.
const LIES: [&str; 14] = [
    "*2147483647\r\n",
    "*9223372036854775807\r\n",
    "$2147483647\r\n",
    "$9223372036854775807\r\n",
    "%4611686018427387903\r\n",
    "%9223372036854775807\r\n",
    "~2147483647\r\n",
    ">2147483647\r\nabc",
    "|2147483647\r\n",
    "*-9\r\n",
    "$-9\r\n",
    ":99999999999999999999999\r\n",
    "HTTP/1.1 400 Bad Request\r\n\r\n",
    "\u{0}\u{1}\u{2}\r\n",
];

/// A server that answers whatever it is asked with the same bytes.
async fn liar(reply: String) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}/", listener.local_addr().unwrap());
    let lying = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let reply = reply.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while client.read(&mut request).await.is_ok_and(|read| read > 0) {
                    if client.write_all(reply.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, AbortOnDropHandle::new(lying))
}

/// A server that answers every command with the same bytes.
async fn yes_man(reply: &'static str) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}/", listener.local_addr().unwrap());
    let agreeing = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while let Ok(read @ 1..) = client.read(&mut request).await {
                    // A command is an array, whose header begins a line.
                    let lines = request[..read].split(|byte| *byte == b'\n');
                    let is_head = |line: &&[u8]| matches!(line, [b'*', digit, ..] if digit.is_ascii_digit());
                    let commands = lines.filter(is_head).count();
                    if client.write_all(reply.repeat(commands).as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, AbortOnDropHandle::new(agreeing))
}

async fn connect_to(reply: impl Into<String>) -> Error {
    let (url, _lying) = liar(reply.into()).await;
    let bound = Duration::from_millis(500);
    let options = ConnectOptions::new(url).connect_timeout(bound).response_timeout(bound).give_up_after(bound);
    let connecting = tokio::time::timeout(Duration::from_secs(20), Redstream::connect(options));
    connecting.await.expect("it does not hang").unwrap_err()
}

/// The most memory that this process ever had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn a_server_that_lies_from_the_start_is_an_error_within_the_bound() {
    for lie in LIES {
        let error = connect_to(lie).await;
        assert!(matches!(error, Error::Connect { .. } | Error::Redis { .. }), "{lie:?}: {error:?}");
    }
}

#[tokio::test]
async fn what_a_length_claims_is_not_taken_from_memory() {
    let before = peak();
    for lie in LIES {
        connect_to(lie).await;
    }
    // Two billion elements would take gigabytes.
    assert!(peak() < before + 256, "{before} MiB, then {} MiB", peak());
}

#[tokio::test]
async fn a_reply_that_is_nested_without_end_is_an_error() {
    let error = connect_to("*1\r\n".repeat(100_000)).await;
    assert!(matches!(error, Error::Connect { .. } | Error::Redis { .. }), "{error:?}");
}

#[tokio::test]
async fn lies_amid_the_work_cost_no_message() {
    // As replies to what each worker and the producer send: reads, scripts, and messages.
    const REPLIES: [&str; 10] = [
        "$3\r\nabc\r\n",
        "*0\r\n",
        "*1\r\n*2\r\n$1\r\nx\r\n*1\r\n*2\r\n$3\r\n1-x\r\n*0\r\n",
        "*1\r\n*2\r\n$1\r\nx\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*1\r\n$7\r\npayload\r\n",
        "*3\r\n:1\r\n:2\r\n:3\r\n",
        ":-1\r\n",
        "$-1\r\n",
        "-NONSENSE of a new kind\r\n",
        "*2147483647\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
    ];
    let redis = private_redis().await;
    let proxy = Proxy::start(redis.port()).await.unwrap();
    // Room for a machine that is busy with other tests: a slightly late reply is no false reply.
    let options = ConnectOptions::new(proxy.url()).response_timeout(Duration::from_secs(2));
    let through = Redstream::connect(options).await.unwrap();
    let direct = Redstream::connect(redis.url()).await.unwrap();
    let (products, truth) = (through.stream("products").unwrap(), direct.stream("products").unwrap());
    let seen = Recorder::default();
    // A message from a false reply has no payload, or another one.
    let handled =
        || -> HashSet<u64> { seen.batches().iter().flatten().filter_map(|message| message.payload().ok()).collect() };
    let mut written = 0_u64;
    for reply in REPLIES {
        // A supervisor for each: it restarts repeated failures after increasing pauses.
        let stop = CancellationToken::new();
        let workers = tokio::spawn(workers(&products, &seen).run_until(stop.clone().cancelled_owned()));
        for needle in ["XREAD", "EVALSHA", "XADD"] {
            let before = proxy.struck();
            proxy.strike(needle, Fault::Lie(reply), 2);
            // Some may fail because of false replies: the caller gets an error. What the real server acknowledged must
            // arrive.
            _ = through.producer().queue(products.name(), &json!("through the liar")).await;
            direct.producer().queue(truth.name(), &json!(written)).await.unwrap();
            written += 1;
            eventually(BACK, &format!("{reply:?} is told to {needle}"), async || proxy.struck() > before).await;
        }
        proxy.strike("", Fault::FallSilent, 0);
        let all = async || {
            let handled = handled();
            (0..written).all(|key| handled.contains(&key))
        };
        eventually(BACK, &format!("every message arrives in spite of {reply:?}"), all).await;
        assert!(!workers.is_finished(), "all workers went on");
        stop.cancel();
        workers.await.unwrap().unwrap();
    }
}

fn workers(products: &Stream, seen: &Recorder) -> Supervisor {
    let (pause, ttl) = (Duration::from_millis(10), Duration::from_secs(1));
    Supervisor::new()
        .with(products.consumer("search", seen.clone()).lock_ttl(ttl).backoff(pause, pause * 10))
        .with(products.delayer(Duration::from_millis(100)).lock_ttl(ttl))
        .with(products.trimmer().interval(pause).lock_ttl(ttl))
}

#[tokio::test]
async fn a_server_that_says_ok_to_everything_is_no_redis() {
    for reply in ["+OK\r\n", "$2\r\nOK\r\n", ":1\r\n", "*0\r\n"] {
        let (url, _agreeing) = yes_man(reply).await;
        let error = Redstream::connect(ConnectOptions::new(url).lazy()).await.unwrap_err();
        assert!(matches!(error, Error::NotRedis { .. }), "{reply:?}: {error:?}");
        assert!(error.to_string().contains("no Redis"), "{error}");
    }
}

/// What a server sends without end after its first request.
const ENDLESS: [&str; 6] =
    ["*1\r\n", "+OK", "$3\r\nabc\r\n", "*2\r\n$3\r\nabc\r\n", "%1\r\n+a\r\n", "*9999999\r\n:1\r\n"];

async fn endless(reply: &'static str) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}/", listener.local_addr().unwrap());
    let sending = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut request, chunk) = ([0; 4096], reply.repeat(10_000));
                if client.read(&mut request).await.is_ok_and(|read| read > 0) {
                    while client.write_all(chunk.as_bytes()).await.is_ok() {}
                }
            });
        }
    });
    (url, AbortOnDropHandle::new(sending))
}

#[tokio::test]
async fn a_reply_without_end_keeps_to_the_timeout() {
    for reply in ENDLESS {
        let bound = Duration::from_millis(300);
        for rest in ["", "?protocol=resp3", "1"] {
            let (url, _sending) = endless(reply).await;
            let options = ConnectOptions::new(format!("{url}{rest}"));
            let options = options.connect_timeout(bound).response_timeout(bound).give_up_after(bound);
            let begun = std::time::Instant::now();
            let error = Redstream::connect(options).await.unwrap_err();
            assert!(begun.elapsed() < Duration::from_secs(5), "{reply:?} {rest}: {:?}, {error:?}", begun.elapsed());
        }
    }
}
