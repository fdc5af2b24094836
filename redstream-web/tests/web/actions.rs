//! Actions: what they do, which are refused, and what is recorded of them.

use std::time::Duration;

use axum::http::StatusCode;
use redstream_core::{Batch, CancellationToken, HandlerError, Start, Supervisor};
use redstream_web::{Dashboard, Outcome, Verb};
use serde_json::{Value, json};

use crate::support::{OURS, Recorded, add, eventually, fail, get, of, post, private_redis, redstream};

const JSON: (&str, &str) = ("content-type", "application/json");
/// What a program sends that is no browser.
const HEADER: (&str, &str) = ("x-redstream-action", "1");

fn path(verb: Verb) -> String {
    format!("/actions/{verb}")
}

/// A body that would do something, were it allowed.
fn body(verb: Verb) -> Value {
    match verb {
        Verb::Rewind => json!({ "stream": "books", "consumer": "search", "to": "latest" }),
        Verb::Redrive | Verb::Discard => json!({ "stream": "books", "consumer": "search", "which": "all" }),
        Verb::ReindexPause | Verb::ReindexResume | Verb::ReindexAbort | Verb::ReindexForget => {
            json!({ "stream": "books", "id": "2026" })
        }
        Verb::Trim => json!({ "stream": "books" }),
        Verb::TaskStart | Verb::TaskStop => json!({ "task": "verify" }),
        _ => of("books", "search"),
    }
}

#[tokio::test]
async fn nothing_is_allowed_by_default() {
    let redstream = redstream().await;
    let books = redstream.stream("books").unwrap();
    books.register("search", Start::Earliest).await.unwrap();
    let router = Dashboard::new(redstream.clone()).task("verify", async |_| Ok(String::new())).into_router();
    for verb in Verb::ALL {
        let answer = post(&router, &path(verb), &OURS, &body(verb)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{verb}: {answer:?}");
        assert_eq!(get(&router, &path(verb)).await.status, StatusCode::METHOD_NOT_ALLOWED, "{verb}");
    }
    assert!(!books.is_paused("search").await.unwrap());
}

#[tokio::test]
async fn a_request_of_another_site_or_of_another_type_is_refused_whatever_is_allowed() {
    let (redstream, recorded) = (redstream().await, Recorded::default());
    let books = redstream.stream("books").unwrap();
    books.register("search", Start::Earliest).await.unwrap();
    let router = recorded.dashboard(redstream.clone()).task("verify", async |_| Ok(String::new())).into_router();
    let site = |site| ("sec-fetch-site", site);
    for verb in Verb::ALL {
        let crossed = [
            vec![JSON, site("cross-site"), ("sec-fetch-mode", "navigate")],
            vec![JSON, site("same-site"), HEADER, ("sec-fetch-mode", "navigate")],
            vec![JSON, site("none"), HEADER],
            vec![JSON],
        ];
        for headers in crossed {
            let answer = post(&router, &path(verb), &headers, &body(verb)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{verb}, {headers:?}: {answer:?}");
        }
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            let headers = [("content-type", content_type), site("same-origin")];
            let answer = post(&router, &path(verb), &headers, &body(verb)).await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{verb}, {content_type}: {answer:?}");
        }
    }
    assert!(!books.is_paused("search").await.unwrap());
    let entries = recorded.entries();
    assert_eq!(entries.len(), Verb::ALL.len() * 8);
    assert!(entries.iter().all(|entry| matches!(entry.outcome, Outcome::Refused(_)) && entry.user.is_none()));
    // A program that is no browser.
    let answer = post(&router, "/actions/pause", &[JSON, HEADER], &of("books", "search")).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({ "paused": true, "rests": true })));
}

#[tokio::test]
async fn each_verb_is_asked_for_and_each_action_is_recorded_with_its_user() {
    let (redstream, recorded) = (redstream().await, Recorded::default());
    let books = redstream.stream("books").unwrap();
    books.register("search", Start::Earliest).await.unwrap();
    let router = recorded
        .dashboard(redstream.clone())
        .allow_actions(|_, verb| (verb != Verb::Rewind).then(|| "bob".to_owned()))
        .into_router();
    let paused = post(&router, "/actions/pause", &OURS, &of("books", "search")).await;
    assert_eq!(paused.status, StatusCode::OK, "{paused:?}");
    assert!(books.is_paused("search").await.unwrap());
    let unknown = post(&router, "/actions/resume", &OURS, &of("books", "serach")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.json()["error"].as_str().unwrap().contains("search"), "{unknown:?}");
    let rewound = post(&router, "/actions/rewind", &OURS, &body(Verb::Rewind)).await;
    assert_eq!(rewound.status, StatusCode::FORBIDDEN);

    let entries = recorded.entries();
    let users: Vec<_> = entries.iter().map(|entry| entry.user.as_deref()).collect();
    assert_eq!(users, [Some("bob"), Some("bob"), None]);
    assert!(matches!(&entries[0].outcome, Outcome::Done(answer) if answer.contains("paused")), "{entries:?}");
    assert!(matches!(&entries[1].outcome, Outcome::Failed(error) if error.contains("serach")), "{entries:?}");
    assert!(matches!(&entries[2].outcome, Outcome::Refused(_)), "{entries:?}");
    assert_eq!(entries[0].target, r#"{"consumer":"search","stream":"books"}"#);
    let shown = get(&router, "/status").await.json();
    let verbs: Vec<_> = shown["actions"].as_array().unwrap().iter().map(|entry| &entry["verb"]).collect();
    assert_eq!(verbs, ["rewind", "resume", "pause"], "the latest first");
}

#[tokio::test]
async fn a_consumer_is_paused_resumed_and_rewound() {
    let redstream = redstream().await;
    let books = redstream.stream("books").unwrap();
    add(&redstream, "books", (0..5).map(|id| json!({ "id": id }))).await;
    books.consumer("search", async |_: Batch| Ok::<_, HandlerError>(())).run_once().await.unwrap();
    let router = Recorded::default().dashboard(redstream.clone()).into_router();
    for (verb, is_paused) in [("pause", true), ("resume", false)] {
        assert_eq!(post(&router, &format!("/actions/{verb}"), &OURS, &of("books", "search")).await.status, 200);
        assert_eq!(books.is_paused("search").await.unwrap(), is_paused);
    }
    let first = books.messages(redstream_core::MessageId::MIN, 1).await.unwrap()[0].id();
    let places = [
        (json!("earliest"), 5),
        (json!("latest"), 0),
        (json!({ "at_ms": 0 }), 5),
        (json!({ "after": books.last_id().await.unwrap().to_string() }), 0),
        (json!({ "after": format!("{}-0", first.ms - 1) }), 5),
    ];
    for (to, lag) in places {
        let body = json!({ "stream": "books", "consumer": "search", "to": to });
        let answer = post(&router, "/actions/rewind", &OURS, &body).await;
        assert_eq!(answer.status, 200, "{to}: {answer:?}");
        assert_eq!(books.lag("search").await.unwrap(), lag, "{to}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_say_all_is_refused() {
    let redstream = redstream().await;
    add(&redstream, "books", [json!(1)]).await;
    let books = redstream.stream("books").unwrap();
    fail(&books, "search", 1, "locked").await;
    let router = Recorded::default().dashboard(redstream.clone()).into_router();
    let bad = [
        ("discard", of("books", "search")),
        ("discard", json!({ "stream": "books", "which": "all" })),
        ("discard", json!({ "stream": "books", "consumer": "search", "of": "delayer", "which": "all" })),
        ("trim", json!({})),
        ("discard", json!({ "stream": "books", "consumer": "search", "which": null })),
        ("redrive", json!({ "stream": "books", "consumer": "search", "which": { "ids": ["x"] } })),
        ("rewind", json!({ "stream": "books", "consumer": "search", "to": { "after": "x" } })),
        ("rewind", json!({ "stream": "books", "consumer": "search", "to": "sometime" })),
        ("pause", json!({ "stream": "books", "consumer": "search", "within": 1 })),
        ("pause", json!({ "stream": "a stream", "consumer": "search" })),
        ("pause", json!([])),
    ];
    for (verb, body) in bad {
        let answer = post(&router, &format!("/actions/{verb}"), &OURS, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{verb} {body}: {answer:?}");
    }
    let long = json!({ "stream": "b".repeat(100_000), "consumer": "search" });
    assert_eq!(post(&router, "/actions/pause", &OURS, &long).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(post(&router, "/actions/drop", &OURS, &json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(books.dead_letters("search").unwrap().count().await.unwrap(), 1);
}

#[tokio::test]
async fn an_action_that_redis_does_not_answer_fails_within_its_bound() {
    let server = private_redis().await;
    let give_up = Duration::from_secs(1);
    let options = redstream_core::ConnectOptions::new(server.url()).give_up_after(give_up);
    let redstream = redstream_core::Redstream::connect(options).await.unwrap();
    redstream.stream("books").unwrap().register("search", Start::Earliest).await.unwrap();
    let router = Recorded::default().dashboard(redstream).into_router();
    server.pause().unwrap();
    let answer = post(&router, "/actions/resume", &OURS, &of("books", "search")).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{answer:?}");
    let status = get(&router, "/status").await.json();
    assert!(status["overview"].is_null() && !status["error"].as_str().unwrap().is_empty(), "{status}");
}

#[tokio::test]
async fn an_action_is_finished_and_recorded_though_its_client_goes_away() {
    let (redstream, recorded) = (redstream().await, Recorded::default());
    let books = redstream.stream("books").unwrap();
    add(&redstream, "books", [json!(1)]).await;
    let (begun, end) = (CancellationToken::new(), CancellationToken::new());
    let handler = {
        let (begun, end) = (begun.clone(), end.clone());
        move |_: Batch| {
            begun.cancel();
            let end = end.clone();
            async move {
                end.cancelled().await;
                Ok::<_, HandlerError>(())
            }
        }
    };
    let router = recorded.dashboard(redstream.clone()).into_router();
    let workers = Supervisor::new().with(books.consumer("search", handler));
    let acting = async {
        begun.cancelled().await;
        // The pause waits for the handler, and the client does not.
        let body = of("books", "search");
        let pausing = post(&router, "/actions/pause", &OURS, &body);
        let gone = eventually("it has begun", async || books.is_paused("search").await.unwrap());
        tokio::select! { answer = pausing => panic!("{answer:?}"), () = gone => {} }
        eventually("it is recorded", async || !recorded.entries().is_empty()).await;
        end.cancel();
    };
    workers.run_until(acting).await.unwrap();
    let entries = recorded.entries();
    assert!(matches!(&entries[0].outcome, Outcome::Done(answer) if answer.contains("\"paused\":true")), "{entries:?}");
    assert_eq!(entries[0].user.as_deref(), Some("ann"));
}
