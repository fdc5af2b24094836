//! Dead letters: listed, grouped, redriven for their consumer alone, and discarded.

use axum::http::StatusCode;
use redstream_core::{Batch, HandlerError, Start};
use serde_json::{Value, json};

use crate::support::{OURS, Recorded, add, fail, get, post, redstream};

const SCRIPT: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)>";

#[tokio::test]
async fn letters_are_listed_page_by_page_and_by_kind_of_error() {
    let redstream = redstream().await;
    let books = redstream.stream("books").unwrap();
    add(&redstream, "books", (0..20).map(|id| json!({ "id": id }))).await;
    fail(&books, "search", 20, "row 17 is locked").await;
    add(&redstream, "books", [json!(SCRIPT)]).await;
    fail(&books, "search", 21, "no author").await;
    let router = Recorded::default().dashboard(redstream).into_router();

    let groups = get(&router, "/dead-groups?stream=books&consumer=search").await.json();
    let group = |at: usize| (groups["groups"][at]["pattern"].clone(), groups["groups"][at]["count"].clone());
    assert_eq!(group(0), (json!("row # is locked"), json!(20)), "{groups}");
    assert_eq!(group(1), (json!("no author"), json!(1)), "{groups}");
    assert_eq!(groups["is_all"], true);

    let (mut payloads, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(&router, &format!("/dead?stream=books&consumer=search{after}")).await.json();
        payloads.extend(page["letters"].as_array().unwrap().iter().map(|letter| letter["payload"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(payloads.len(), 21);
    assert_eq!(payloads[0], r#"{"id":0}"#);

    let fingerprint = groups["groups"][1]["fingerprint"].as_str().unwrap();
    let page = get(&router, &format!("/dead?stream=books&consumer=search&fingerprint={fingerprint}")).await;
    let found = page.json();
    assert_eq!(found["letters"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["letters"][0]["payload"], json!(SCRIPT).to_string());
    assert_eq!(page.header("content-type"), "application/json");

    let unknown = get(&router, "/dead?stream=books&consumer=serach").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{unknown:?}");
    for query in ["stream=books", "stream=a%20b&consumer=search", "stream=books&consumer=search&after=x"] {
        assert_eq!(get(&router, &format!("/dead?{query}")).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn a_redrive_reaches_only_the_consumer_whose_letter_it_was() {
    let redstream = redstream().await;
    let books = redstream.stream("books").unwrap();
    books.register("cache", Start::Earliest).await.unwrap();
    add(&redstream, "books", [json!(7)]).await;
    fail(&books, "search", 1, "locked").await;
    let seen = async |consumer: &str| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let handler = move |batch: Batch| {
            sender.send(batch.len()).unwrap();
            async { Ok::<_, HandlerError>(()) }
        };
        books.consumer(consumer, handler).run_once().await.unwrap();
        receiver.try_iter().sum::<usize>()
    };
    assert_eq!(seen("cache").await, 1);
    let router = Recorded::default().dashboard(redstream.clone()).into_router();
    let letters = get(&router, "/dead?stream=books&consumer=search").await.json();
    let id = letters["letters"][0]["id"].clone();
    let body = json!({ "stream": "books", "consumer": "search", "which": { "ids": [id] } });
    let answer = post(&router, "/actions/redrive", &OURS, &body).await;
    assert_eq!(answer.json(), json!({ "done": 1, "cut": 0, "is_complete": true }), "{answer:?}");
    assert_eq!(seen("search").await, 1);
    assert_eq!(seen("cache").await, 0);
    let again = post(&router, "/actions/redrive", &OURS, &body).await;
    assert_eq!(again.json()["done"], 0, "it is redriven once: {again:?}");
}

#[tokio::test]
async fn letters_of_one_kind_are_redriven_and_the_rest_is_discarded() {
    let redstream = redstream().await;
    let books = redstream.stream("books").unwrap();
    add(&redstream, "books", (0..18).map(|id| json!(id))).await;
    fail(&books, "search", 18, "row 17 is locked").await;
    add(&redstream, "books", [json!(18)]).await;
    fail(&books, "search", 19, "no author").await;
    let router = Recorded::default().dashboard(redstream.clone()).into_router();
    let groups = get(&router, "/dead-groups?stream=books&consumer=search").await.json();
    let which = |which: Value| json!({ "stream": "books", "consumer": "search", "which": which });
    let one = which(json!({ "fingerprint": groups["groups"][0]["fingerprint"] }));
    assert_eq!(post(&router, "/actions/redrive", &OURS, &one).await.json()["done"], 18);
    assert_eq!(books.lag("search").await.unwrap(), 18);
    assert_eq!(post(&router, "/actions/discard", &OURS, &which(json!("all"))).await.json()["done"], 1);
    assert_eq!(books.dead_letters("search").unwrap().count().await.unwrap(), 0);
}
