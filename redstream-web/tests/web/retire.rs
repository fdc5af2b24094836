//! What removes: consumers are forgotten, streams trimmed, and what is no message is discarded.

use std::time::Duration;

use axum::http::StatusCode;
use redstream_chromium::Chromium;
use redstream_core::{Batch, ConnectOptions, HandlerError, MessageId, Redstream, Start, Supervisor};
use redstream_servers::Redis;
use redstream_web::{Outcome, Verb};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::browser::reads;
use crate::shop::Served;
use crate::support::{OURS, Recorded, add, eventually, get, of, post, private_redis, redstream};

/// Adds an entry without a payload to the delay stream, as no writer of ours does, and has the delayer meet it.
async fn stray(server: &Redis, redstream: &Redstream) {
    let mut raw = tokio::net::TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    raw.write_all(b"XADD shop:redstream:stream:products.delay 1-0 other x\r\n").await.unwrap();
    let mut answer = [0; 64];
    let length = raw.read(&mut answer).await.unwrap();
    assert!(answer[..length].starts_with(b"$3\r\n1-0"), "{}", String::from_utf8_lossy(&answer));
    redstream.stream("products").unwrap().delayer(Duration::from_millis(1)).run_once().await.unwrap();
}

async fn shop(server: &Redis) -> Redstream {
    Redstream::connect(ConnectOptions::new(server.url()).namespace("shop")).await.unwrap()
}

/// Has a consumer commit all that is there.
async fn handle_all(redstream: &Redstream, consumer: &str) {
    let products = redstream.stream("products").unwrap();
    let workers = Supervisor::new().with(products.consumer(consumer, async |_: Batch| Ok::<_, HandlerError>(())));
    let done = eventually("all is committed", async || products.lag(consumer).await.unwrap() == 0);
    workers.run_until(done).await.unwrap();
}

#[tokio::test]
async fn a_consumer_is_forgotten_unless_it_runs() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let router = Recorded::default().dashboard(redstream.clone()).into_router();
    let forget = async || post(&router, "/actions/forget", &OURS, &of("products", "old")).await;
    assert_eq!(forget().await.status, StatusCode::NOT_FOUND);
    let workers = Supervisor::new().with(products.consumer("old", async |_: Batch| Ok::<_, HandlerError>(())));
    let story = async {
        let runs =
            async || products.overview().await.unwrap().consumers.iter().any(|one| one.state.to_string() == "running");
        eventually("it runs", runs).await;
        let refused = forget().await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    };
    Box::pin(workers.run_until(story)).await.unwrap();
    let forgotten = forget().await;
    assert_eq!((forgotten.status, forgotten.json()), (StatusCode::OK, json!({ "forgotten": true })));
    assert_eq!(products.consumers().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_trim_says_before_how_much_it_removes_and_waits_for_all() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let router = Recorded::default().dashboard(redstream.clone()).into_router();
    let impact = async || get(&router, "/trim-impact?stream=products").await.json();
    let reason = async || impact().await["reason"].as_str().unwrap_or_default().to_owned();
    add(&redstream, "products", (0..250).map(|id| json!({ "id": id }))).await;
    assert!(reason().await.contains("no consumer"));
    handle_all(&redstream, "search").await;
    products.register("cache", Start::Earliest).await.unwrap();
    assert!(reason().await.starts_with("cache has committed nothing"));
    let waiting = post(&router, "/actions/trim", &OURS, &json!({ "stream": "products" })).await.json();
    assert_eq!(waiting["removed_entries"], 0);
    assert!(waiting["reason"].as_str().unwrap().starts_with("cache has committed nothing"), "{waiting}");

    handle_all(&redstream, "cache").await;
    add(&redstream, "products", (0..30).map(|id| json!({ "id": id }))).await;
    assert_eq!(impact().await, json!({ "messages": 250, "is_more": false, "reason": null }));
    let trimmed = post(&router, "/actions/trim", &OURS, &json!({ "stream": "products" })).await.json();
    assert!(trimmed["removed_entries"].as_u64() > Some(0) && trimmed["reason"].is_null(), "{trimmed}");
    let left = products.count_after(MessageId::MIN, 1000).await.unwrap();
    assert_eq!((left.messages, left.is_all), (30, true));
    assert!(reason().await.starts_with("no message"), "{}", impact().await);
}

#[tokio::test]
async fn what_the_delayer_could_not_move_is_listed_and_discarded_and_never_redriven() {
    let server = private_redis().await;
    let redstream = shop(&server).await;
    stray(&server, &redstream).await;
    let letters = redstream.stream("products").unwrap().delayer_dead_letters();
    let router = Recorded::default().dashboard(redstream).into_router();
    let found = get(&router, "/dead?stream=products&of=delayer").await.json();
    assert_eq!(found["letters"][0]["message_id"], "1-0", "{found}");
    assert!(found["letters"][0]["error"].as_str().unwrap().contains("other=x"), "{found}");
    assert_eq!(get(&router, "/dead-groups?stream=products&of=delayer").await.json()["groups"][0]["count"], 1);
    let all = json!({ "stream": "products", "of": "delayer", "which": "all" });
    let refused = post(&router, "/actions/redrive", &OURS, &all).await;
    assert_eq!((refused.status, letters.count().await.unwrap()), (StatusCode::CONFLICT, 1), "{refused:?}");
    assert_eq!(post(&router, "/actions/discard", &OURS, &all).await.json()["done"], 1);
    assert_eq!(letters.count().await.unwrap(), 0);
}

/// The last snapshot with something at this place.
async fn rate_of(router: &axum::Router, place: &str) -> f64 {
    let rates = get(router, "/status").await.json()["rates"].clone();
    rates.pointer(place).and_then(Value::as_f64).unwrap_or_default()
}

#[tokio::test]
async fn rates_count_messages_and_not_entries() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let workers = Supervisor::new().with(products.consumer("search", async |_: Batch| Ok::<_, HandlerError>(())));
    let dashboard = Recorded::default().dashboard(redstream.clone()).every(Duration::from_millis(100));
    let router = dashboard.into_router();
    // Entries of 100 messages, at most 20 a second.
    let writing = async {
        loop {
            add(&redstream, "products", (0..100).map(|id| json!({ "id": id }))).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let seen = async {
        let both = async || {
            rate_of(&router, "/written/products").await > 50.0
                && rate_of(&router, "/handled/products/search").await > 50.0
        };
        eventually("messages a second", both).await;
    };
    let story = async {
        tokio::select! { () = writing => {}, () = seen => {} }
    };
    Box::pin(workers.run_until(story)).await.unwrap();
    eventually("nothing is written", async || rate_of(&router, "/written/products").await < 1.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_forgets_trims_and_discards_after_being_asked() {
    let server = private_redis().await;
    let redstream = shop(&server).await;
    let (products, recorded) = (redstream.stream("products").unwrap(), Recorded::default());
    stray(&server, &redstream).await;
    add(&redstream, "products", (0..250).map(|id| json!({ "id": id }))).await;
    handle_all(&redstream, "search").await;
    products.register("old", Start::Earliest).await.unwrap();
    let served = Served::start(recorded.dashboard(redstream.clone()).every(Duration::from_millis(200))).await;
    let chromium = Chromium::open(&served.url).await;
    chromium.until(&reads("products", "old", "250 messages behind")).await;

    chromium.click("button[aria-label='Trim products']").await;
    chromium.until("document.querySelector('#said').textContent.includes('old has committed nothing yet')").await;
    chromium.click("button[aria-label='Forget products/old']").await;
    chromium.until("document.querySelector('#ask-text').textContent.includes('250 messages that it has not')").await;
    chromium.click("#ask-yes").await;
    eventually("it is forgotten", async || products.consumers().await.unwrap() == ["search"]).await;
    chromium.until("!document.querySelector(\"button[aria-label='Forget products/old']\")").await;

    chromium.click("button[aria-label='Trim products']").await;
    chromium.until("document.querySelector('#ask-text').textContent.startsWith('250 messages that all')").await;
    chromium.click("#ask-no").await;
    assert!(products.len().await.unwrap() > 0, "it was cancelled");
    chromium.click("button[aria-label='Trim products']").await;
    chromium.click("#ask-yes").await;
    eventually("it is trimmed", async || products.len().await.unwrap() == 0).await;

    chromium.click("button[aria-label='1 entry that is no message, in the delay stream of products']").await;
    chromium.until("document.querySelectorAll('#dead-letters > li').length === 1").await;
    let shown: String = chromium.js("document.querySelector('#dead').innerText").await;
    assert!(shown.contains("Dead letters of the delayer of products") && shown.contains("other=x"), "{shown}");
    assert!(!shown.contains("Redrive"), "{shown}");
    chromium.click("#dead-letters button.danger").await;
    chromium.click("#ask-yes").await;
    chromium.until("document.querySelector('#dead-note').textContent === 'There are none.'").await;
    chromium.click("#dead-close").await;
    assert_eq!(products.delayer_dead_letters().count().await.unwrap(), 0);

    let done: Vec<_> = recorded.entries().iter().map(|entry| entry.verb).collect();
    assert_eq!(done, [Verb::Forget, Verb::Trim, Verb::Discard]);
    assert!(recorded.entries().iter().all(|entry| matches!(entry.outcome, Outcome::Done(_))));
    chromium.close().await;
    served.end().await;
}
