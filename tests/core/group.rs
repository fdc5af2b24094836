//! Callers that write at the same time share a connection and its pipelines: each has its own replies, whatever becomes
//! of the others.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::join_all;
use redstream_core::{
    ConnectOptions, Early, Error, MessageId, NewMessage, Payload, Producer, Redstream, Stream, StreamName,
};
use redstream_servers::Redis;
use serde_json::{Value, json};

use super::SOON;
use crate::support::{eventually, private_redis, raw_redis, redstream};

const STREAM: &str = "redstream:stream:products";
const DELAYED: &str = "redstream:stream:products.delay";

struct Server {
    redis: Redis,
    raw: redis::aio::MultiplexedConnection,
    producer: Producer,
    products: Stream,
}

impl Server {
    async fn start() -> Self {
        Self::with(|options| options).await
    }

    async fn with(set: impl FnOnce(ConnectOptions) -> ConnectOptions) -> Self {
        let redis = private_redis().await;
        let raw = raw_redis(&redis.url()).await;
        let redstream = Redstream::connect(set(ConnectOptions::new(redis.url()))).await.unwrap();
        let (producer, products) = (redstream.producer(), redstream.stream("products").unwrap());
        producer.queue(products.name(), &"first").await.unwrap();
        Self { redis, raw, producer, products }
    }

    fn message(&self, payload: &Value) -> NewMessage {
        NewMessage::new(self.products.name().clone(), Payload::encode(payload).unwrap())
    }

    /// A message for a key that is no stream.
    async fn refused(&self) -> Early {
        let set = redis::cmd("SET").arg("redstream:stream:broken.delay").arg(1).to_owned();
        set.exec_async(&mut self.raw.clone()).await.unwrap();
        self.early_refused()
    }

    fn early_refused(&self) -> Early {
        let message = NewMessage::new(StreamName::new("broken").unwrap(), Payload::encode(&1).unwrap());
        self.producer.delay_early(&[message]).expect("it is open")
    }

    fn early(&self, payload: &Value) -> Early {
        self.producer.delay_early(&[self.message(payload)]).expect("it is open")
    }

    /// The payloads of a stream, by their ids.
    async fn entries(&mut self, key: &str) -> BTreeMap<String, Value> {
        let all: Vec<(String, Vec<String>)> =
            redis::cmd("XRANGE").arg(key).arg("-").arg("+").query_async(&mut self.raw).await.unwrap();
        all.into_iter().map(|(id, fields)| (id, serde_json::from_str(&fields[1]).unwrap())).collect()
    }

    /// The payload under this id, and how often it is in the stream.
    async fn found(&mut self, key: &str, id: MessageId) -> (Value, usize) {
        let all = self.entries(key).await;
        let payload = all[&id.to_string()].clone();
        let times = all.values().filter(|other| **other == payload).count();
        (payload, times)
    }

    async fn len(&mut self, key: &str) -> usize {
        redis::cmd("XLEN").arg(key).query_async(&mut self.raw).await.unwrap()
    }
}

async fn acknowledged(early: &mut Early) -> Option<Vec<MessageId>> {
    let reply = poll_fn(|context| early.poll_acknowledged(context));
    tokio::time::timeout(SOON, reply).await.expect("an answer in time")
}

/// Polls once, without a task that could be woken.
fn poll_once<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thousands_of_callers_each_get_the_ids_of_their_own_messages() {
    let mut server = Server::start().await;
    let (producer, name) = (server.producer.clone(), server.products.name().clone());
    let savers = (0..64).map(|saver| {
        let (producer, name) = (producer.clone(), name.clone());
        tokio::spawn(async move {
            let mut ids = Vec::new();
            for n in 0..50 {
                let payload = json!([saver, n]);
                let delay = NewMessage::new(name.clone(), Payload::encode(&payload).unwrap());
                let early = producer.delay_early(&[delay]);
                let main = producer.queue(&name, &payload).await.unwrap();
                let delayed = acknowledged(&mut early.expect("it is open")).await.expect("it was added");
                ids.push((payload, main, delayed[0]));
            }
            ids
        })
    });
    let ids: Vec<_> = join_all(savers).await.into_iter().flat_map(Result::unwrap).collect();
    let [main, delayed] = [server.entries(STREAM).await, server.entries(DELAYED).await];
    for (payload, of_main, of_delay) in &ids {
        assert_eq!((&main[&of_main.to_string()], &delayed[&of_delay.to_string()]), (payload, payload));
    }
    // None twice: 3,200 of them, and the first one of the main stream.
    assert_eq!((main.len(), delayed.len()), (3201, 3200));
}

/// Dropped after so many polls, while Redis does not answer.
#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_takes_nothing_from_the_others() {
    let mut server = Server::start().await;
    let (producer, name) = (server.producer.clone(), server.products.name().clone());
    for polls in 0..6 {
        let mut others: Vec<_> = (0..3).map(|n| server.early(&json!(["early", polls, n]))).collect();
        server.redis.pause().unwrap();
        let payloads = (json!(["dropped", polls]), json!(["beside", polls]));
        let mut dropped = Box::pin(producer.queue(&name, &payloads.0));
        let mut beside = Box::pin(producer.queue(&name, &payloads.1));
        for nth in 0..polls {
            // Each of the two is the last one that waits, and so the one that is woken, half of the times.
            if (nth + polls) % 2 == 0 {
                assert!(poll_once(beside.as_mut()).is_pending());
            }
            assert!(poll_once(dropped.as_mut()).is_pending());
            if (nth + polls) % 2 == 1 {
                assert!(poll_once(beside.as_mut()).is_pending());
            }
        }
        drop(dropped);
        server.redis.resume().unwrap();
        let id = tokio::time::timeout(SOON, beside).await.expect("in time").unwrap();
        assert_eq!(server.found(STREAM, id).await, (payloads.1, 1));
        for (n, early) in others.iter_mut().enumerate() {
            let id = acknowledged(early).await.expect("it was added")[0];
            assert_eq!(server.found(DELAYED, id).await, (json!(["early", polls, n]), 1));
        }
    }
}

/// Dropped after so many polls, for as many as it takes: also while it opens the connection for all.
#[tokio::test]
async fn a_call_that_is_dropped_at_any_await_leaves_a_connection_that_works() {
    let redis = private_redis().await;
    for polls in 0.. {
        let redstream = Redstream::connect(redis.url()).await.unwrap();
        let (producer, products) = (redstream.producer(), redstream.stream("products").unwrap());
        let mut dropped = Box::pin(producer.queue(products.name(), &"dropped"));
        let mut left = polls;
        // Polled when it is woken, as by its task, and so often.
        let polled = poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(false);
            }
            left -= 1;
            match dropped.as_mut().poll(context) {
                Poll::Ready(_) => Poll::Ready(true),
                Poll::Pending if left == 0 => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }
        });
        let is_over = tokio::time::timeout(SOON, polled).await.expect("it is woken");
        drop(dropped);
        for n in 0..3 {
            tokio::time::timeout(SOON, producer.queue(products.name(), &n)).await.expect("in time").unwrap();
        }
        let message = NewMessage::new(products.name().clone(), Payload::encode(&1).unwrap());
        let early = producer.delay_early(&[message]);
        assert!(acknowledged(&mut early.expect("it is open")).await.is_some(), "after {polls} polls");
        if is_over {
            assert!(polls > 2, "it opened a connection in {polls} polls");
            break;
        }
    }
}

#[tokio::test]
async fn a_caller_that_is_held_without_being_polled_does_not_stop_the_others() {
    let mut server = Server::start().await;
    let (producer, name) = (server.producer.clone(), server.products.name().clone());
    for n in 0..5 {
        server.redis.pause().unwrap();
        let (held_payload, payload) = (json!(["held", n]), json!(n));
        let mut waits = Box::pin(producer.queue(&name, &payload));
        assert!(poll_once(waits.as_mut()).is_pending());
        // The last one to wait is the one that the socket wakes.
        let mut held = pin!(producer.queue(&name, &held_payload));
        assert!(poll_once(held.as_mut()).is_pending());
        server.redis.resume().unwrap();
        let id = tokio::time::timeout(SOON, waits).await.expect("in time").unwrap();
        assert_eq!(server.found(STREAM, id).await, (payload, 1));
        let id = held.await.unwrap();
        assert_eq!(server.found(STREAM, id).await, (held_payload.clone(), 1));
    }
}

#[tokio::test]
async fn a_refusal_is_of_one_call_and_the_next_one_finds_another_connection() {
    let mut server = Server::start().await;
    let mut before = server.early(&json!("before"));
    let mut refused = server.refused().await;
    let mut after = server.early(&json!("after"));
    assert_eq!(acknowledged(&mut refused).await, None);
    for (early, payload) in [(&mut after, "after"), (&mut before, "before")] {
        let id = acknowledged(early).await.expect("it was added")[0];
        assert_eq!(server.found(DELAYED, id).await, (json!(payload), 1));
    }
    let message = server.message(&json!(1));
    assert!(server.producer.delay_early(&[message]).is_none(), "the server may have become a replica");
    server.producer.queue(server.products.name(), &1).await.unwrap();
    assert!(acknowledged(&mut server.early(&json!(2))).await.is_some());
}

/// The first refusal closes the connection behind the replies that are still to come, of which the second one is one.
#[tokio::test]
async fn a_second_refusal_takes_no_reply_from_the_calls_behind_it() {
    let mut server = Server::start().await;
    assert_eq!(acknowledged(&mut server.refused().await).await, None);
    let text = "x".repeat(60_000);
    for n in 0..20 {
        // Opens the next connection.
        server.producer.queue(server.products.name(), &n).await.unwrap();
        server.redis.pause().unwrap();
        let (mut first, mut between) = (server.early_refused(), server.early(&json!(["between", n])));
        // These wait for the first two. The last one is so large that Redis reads, and answers, it later.
        let (mut second, mut behind) = (server.early_refused(), server.early(&json!([n, text])));
        server.redis.resume().unwrap();
        assert_eq!(acknowledged(&mut first).await, None);
        assert_eq!(acknowledged(&mut second).await, None);
        for (early, payload) in [(&mut behind, json!([n, text])), (&mut between, json!(["between", n]))] {
            let id = acknowledged(early).await.expect("it was added")[0];
            assert_eq!(server.found(DELAYED, id).await, (payload, 1));
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_fails_all_that_wait_and_later_calls_succeed() {
    let mut server = Server::with(|options| {
        options.response_timeout(Duration::from_millis(200)).give_up_after(Duration::from_millis(600))
    })
    .await;
    server.redis.pause().unwrap();
    let mut early = server.early(&json!("early"));
    let calls = (0..20).map(|n| {
        let (producer, name) = (server.producer.clone(), server.products.name().clone());
        async move { producer.queue(&name, &n).await }
    });
    let outcomes = tokio::time::timeout(SOON, join_all(calls)).await.expect("they give up");
    for outcome in outcomes {
        assert!(matches!(outcome, Err(Error::GaveUp { .. })), "{outcome:?}");
    }
    assert_eq!(acknowledged(&mut early).await, None);
    server.redis.resume().unwrap();
    let id = server.producer.queue(server.products.name(), &"later").await.unwrap();
    assert_eq!(server.found(STREAM, id).await.0, json!("later"));
}

/// More than the buffers of the sockets hold.
#[tokio::test]
async fn what_the_socket_does_not_accept_at_once_is_written_when_it_does() {
    let mut server = Server::start().await;
    server.redis.pause().unwrap();
    let text = "x".repeat(60_000);
    let mut earlies: Vec<_> = (0..300).map(|n| server.early(&json!([n, text]))).collect();
    let (first, second) = (server.message(&json!([1, text])), server.message(&json!([2, text])));
    assert!(server.producer.delay_early(&[first, second]).is_none(), "it is too large for a connection that is shared");
    server.redis.resume().unwrap();
    for (n, early) in earlies.iter_mut().enumerate().rev() {
        let id = acknowledged(early).await.expect("it was added")[0];
        if n % 50 == 0 {
            assert_eq!(server.found(DELAYED, id).await, (json!([n, text]), 1));
        }
    }
    assert_eq!(server.len(DELAYED).await, 300);
}

#[tokio::test]
async fn what_is_sent_in_the_background_is_there_at_once_and_is_reported_although_all_is_quiet() {
    let mut server = Server::start().await;
    let (told, reports) = mpsc::channel();
    for n in 0..20 {
        let told = told.clone();
        let then = move |messages: Vec<NewMessage>, ids: Result<Vec<MessageId>, Error>| {
            told.send((messages.len(), ids.unwrap())).unwrap();
        };
        server.producer.queue_in_background(vec![server.message(&json!(n))], then);
    }
    eventually(SOON, "the messages", async || server.len(STREAM).await == 21).await;
    let mut all = Vec::new();
    eventually(SOON, "the reports", async || {
        all.extend(reports.try_iter());
        all.len() == 20
    })
    .await;
    for (n, (messages, ids)) in all.into_iter().enumerate() {
        assert_eq!(messages, 1);
        assert_eq!(server.found(STREAM, ids[0]).await, (json!(n), 1));
    }
}

#[tokio::test]
async fn what_fails_in_the_background_is_sent_again_and_what_cannot_be_sent_is_reported() {
    let mut server = Server::with(|options| {
        options.response_timeout(Duration::from_millis(200)).give_up_after(Duration::from_millis(600))
    })
    .await;
    let (told, reports) = mpsc::channel();
    let queue = |server: &Server, payload: Value| {
        let told = told.clone();
        server.producer.queue_in_background(vec![server.message(&payload)], move |_, ids| told.send(ids).unwrap());
    };
    let report = async || {
        let mut report = None;
        eventually(SOON, "a report", async || {
            report = reports.try_recv().ok();
            report.is_some()
        })
        .await;
        report.unwrap()
    };
    // The connection is cut off before its reply: it is sent again on another one.
    server.redis.pause().unwrap();
    queue(&server, json!("again"));
    eventually(SOON, "the connection to be given up", async || {
        server.producer.delay_early(&[server.message(&json!("is it open?"))]).is_none()
    })
    .await;
    server.redis.resume().unwrap();
    let ids = report().await.unwrap();
    assert_eq!(server.found(STREAM, ids[0]).await.0, json!("again"));
    // No server.
    server.producer.queue(server.products.name(), &"open").await.unwrap();
    server.redis.pause().unwrap();
    queue(&server, json!("lost"));
    assert!(matches!(report().await, Err(Error::GaveUp { .. })));
    server.redis.resume().unwrap();
}

#[tokio::test]
async fn a_caller_alone_reads_what_others_left() {
    let redstream = redstream().await;
    let (producer, products) = (redstream.producer(), redstream.stream("products").unwrap());
    let message = NewMessage::new(products.name().clone(), Payload::encode(&1).unwrap());
    producer.queue(products.name(), &0).await.unwrap();
    // More than two pipelines that nothing waits for.
    let left: Vec<_> = (0..10).map(|_| producer.delay_early(std::slice::from_ref(&message)).unwrap()).collect();
    tokio::time::timeout(SOON, producer.queue(products.name(), &1)).await.expect("in time").unwrap();
    drop(left);
    tokio::time::timeout(SOON, producer.queue(products.name(), &2)).await.expect("in time").unwrap();
}
