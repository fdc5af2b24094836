//! A dashboard over a namespace of a test's own, and requests to it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use redstream_core::{Batch, ConnectOptions, HandlerError, NewMessage, Payload, Redstream, Stream, Supervisor};
use redstream_servers::{Redis, RedisOptions};
use redstream_web::{AuditEntry, Dashboard};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// How long a condition may take to hold.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// A namespace on the shared Redis.
pub(crate) async fn redstream() -> Redstream {
    let start = || redstream_servers::shared_url(redstream_servers::REDIS_URL);
    let url = tokio::task::spawn_blocking(start).await.unwrap().expect("there is a Redis");
    let namespace = format!("test-{}", uuid::Uuid::new_v4().simple());
    Redstream::connect(ConnectOptions::new(url).namespace(namespace)).await.expect("Redis answers")
}

/// A Redis of a test's own, with an append-only file.
pub(crate) async fn private_redis() -> Redis {
    let start = || RedisOptions::new().append_only(true).start();
    tokio::task::spawn_blocking(start).await.unwrap().unwrap()
}

/// Queues messages with these payloads.
pub(crate) async fn add(redstream: &Redstream, stream: &str, payloads: impl IntoIterator<Item = Value>) {
    let stream = redstream.stream(stream).unwrap();
    let payloads = Payload::encode_all(payloads).unwrap();
    let messages: Vec<_> =
        payloads.into_iter().map(|payload| NewMessage::new(stream.name().clone(), payload)).collect();
    redstream.producer().queue_all(&messages).await.expect("Redis answers");
}

/// Makes a dead letter of each message that a consumer finds, with this error.
pub(crate) async fn fail(stream: &Stream, consumer: &str, count: u64, error: &'static str) {
    let handler = move |batch: Batch| async move {
        let first = &batch.messages()[0];
        Err::<(), _>(HandlerError::permanent(first.id(), error))
    };
    let letters = stream.dead_letters(consumer).unwrap();
    let failed = eventually("the dead letters", async || letters.count().await.unwrap_or(0) >= count);
    Supervisor::new()
        .with(stream.consumer(consumer, handler).identity("shop, invoices"))
        .run_until(failed)
        .await
        .unwrap();
}

/// Waits until the condition holds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < BOUND, "{what}: not within {BOUND:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A response that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = tokio::time::timeout(BOUND, router.clone().oneshot(request)).await.expect("it answers").unwrap();
    let (parts, body) = response.into_parts();
    let body = tokio::time::timeout(BOUND, to_bytes(body, 1 << 24)).await.expect("it ends").unwrap();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(body.to_vec()).unwrap() }
}

pub(crate) async fn get(router: &Router, path: &str) -> Answer {
    send(router, Request::get(path).body(Body::empty()).unwrap()).await
}

/// The headers of a request that the page itself sends.
pub(crate) const OURS: [(&str, &str); 2] = [("content-type", "application/json"), ("sec-fetch-site", "same-origin")];

pub(crate) async fn post(router: &Router, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(router, request.body(Body::from(body.to_string())).unwrap()).await
}

/// What was recorded of actions.
#[derive(Clone, Default)]
pub(crate) struct Recorded(Arc<Mutex<Vec<AuditEntry>>>);

impl Recorded {
    pub(crate) fn entries(&self) -> Vec<AuditEntry> {
        self.0.lock().unwrap().clone()
    }

    /// A dashboard on which `ann` may do everything, and whose actions are recorded here.
    pub(crate) fn dashboard(&self, redstream: Redstream) -> Dashboard {
        let recorded = self.0.clone();
        Dashboard::new(redstream)
            .allow_actions(|_, _| Some("ann".to_owned()))
            .on_action(move |entry| recorded.lock().unwrap().push(entry.clone()))
    }
}

/// The consumer of a snapshot.
pub(crate) fn consumer<'a>(snapshot: &'a Value, stream: &str, name: &str) -> &'a Value {
    let streams = snapshot["overview"]["streams"].as_array().unwrap();
    let stream = streams.iter().find(|one| one["name"] == stream).unwrap_or_else(|| panic!("{snapshot}"));
    let consumers = stream["consumers"].as_array().unwrap();
    consumers.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{snapshot}"))
}

pub(crate) fn of(stream: &str, consumer: &str) -> Value {
    json!({ "stream": stream, "consumer": consumer })
}
