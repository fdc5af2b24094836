//! What the page receives: one look for all viewers, only while there are some.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use futures_util::StreamExt as _;
use redstream_core::{Batch, CancellationToken, ConnectOptions, HandlerError, Redstream, Start, Supervisor};
use redstream_web::Dashboard;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::{BOUND, add, consumer, eventually, get, private_redis, redstream};

/// An open stream of events.
struct Viewer {
    body: Pin<Box<BodyDataStream>>,
    read: String,
}

impl Viewer {
    async fn open(router: &Router) -> Self {
        let request = Request::get("/events").body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { body: Box::pin(response.into_body().into_data_stream()), read: String::new() }
    }

    /// The next snapshot; `None` after the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
                self.read = rest.to_string();
                match data {
                    Some(data) => return Some(serde_json::from_str(&data).unwrap()),
                    None => continue,
                }
            }
            let chunk = tokio::time::timeout(BOUND, self.body.next()).await.expect("there is an event or an end")?;
            self.read.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
    }
}

fn fast(redstream: Redstream) -> Dashboard {
    Dashboard::new(redstream).every(Duration::from_millis(100))
}

#[tokio::test]
async fn a_snapshot_has_streams_problems_workers_and_rates_and_follows_what_happens() {
    let redstream = redstream().await;
    let books = redstream.stream("books").unwrap();
    let workers = Supervisor::new().with(books.consumer("search", async |_: Batch| Ok::<_, HandlerError>(())));
    let router = fast(redstream.clone()).health(workers.health()).into_router();
    books.register("search", Start::Earliest).await.unwrap();
    books.pause("search", Duration::from_secs(5)).await.unwrap();
    let mut viewer = Viewer::open(&router).await;
    let first = viewer.next().await.unwrap();
    assert!(first["error"].is_null(), "{first}");
    assert_eq!(consumer(&first, "books", "search")["state"], "paused");
    assert_eq!(first["health"]["workers"][0]["name"], "consumer search of books");
    assert_eq!(first["health"]["workers"][0]["state"], "starting");
    assert!(first["problems"].as_array().unwrap().iter().any(|problem| problem["kind"] == "paused"), "{first}");
    assert_eq!(first["rates"]["lag"], json!({}), "nothing to compare with");

    add(&redstream, "books", (0..5).map(|id| json!(id))).await;
    let mut grew = false;
    eventually("the lag, and its growth", async || {
        let snapshot = viewer.next().await.unwrap();
        grew |= snapshot["rates"]["lag"]["books"]["search"].as_f64().unwrap_or(0.0) > 0.0;
        grew && consumer(&snapshot, "books", "search")["lag"] == 5
    })
    .await;
}

#[tokio::test]
async fn all_viewers_see_the_same_look_and_one_too_many_is_told_to_come_back() {
    let router = fast(redstream().await).max_viewers(2).into_router();
    let (mut one, mut other) = (Viewer::open(&router).await, Viewer::open(&router).await);
    let refused = get(&router, "/events").await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "10"));
    let (mut ones, mut others) = (BTreeSet::new(), BTreeSet::new());
    eventually("the same look", async || {
        ones.insert(one.next().await.unwrap()["at"].to_string());
        others.insert(other.next().await.unwrap()["at"].to_string());
        !ones.is_disjoint(&others)
    })
    .await;
    drop(one);
    let mut third = Viewer::open(&router).await;
    assert!(third.next().await.is_some(), "there is room again");
}

#[tokio::test]
async fn streams_beyond_the_first_two_hundred_are_counted_and_not_sent() {
    let redstream = redstream().await;
    let streams: Vec<_> = (0..203).map(|nth| redstream.stream(format!("books-{nth:03}")).unwrap()).collect();
    let registered = streams.iter().map(|stream| stream.register("search", Start::Earliest));
    futures_util::future::try_join_all(registered).await.unwrap();
    let snapshot = get(&fast(redstream).into_router(), "/status").await.json();
    assert!(snapshot["error"].is_null(), "{}", snapshot["error"]);
    assert_eq!(snapshot["overview"]["streams"].as_array().unwrap().len(), 200);
    assert_eq!(snapshot["left_out"], 3);
}

#[tokio::test]
async fn redis_is_left_alone_while_there_are_no_viewers() {
    let redstream = redstream().await;
    redstream.stream("books").unwrap().register("search", Start::Earliest).await.unwrap();
    let router = fast(redstream).into_router();
    let compares = |snapshot: &Value| snapshot["rates"]["lag"]["books"]["search"].is_number();
    let mut viewer = Viewer::open(&router).await;
    eventually("a second look", async || compares(&viewer.next().await.unwrap())).await;
    drop(viewer);
    // A look that has none before it to be compared with: the task had ended.
    eventually("a first look", async || !compares(&Viewer::open(&router).await.next().await.unwrap())).await;
}

#[tokio::test]
async fn an_error_of_redis_is_shown_and_ends_by_itself() {
    let mut server = private_redis().await;
    let options = ConnectOptions::new(server.url()).give_up_after(Duration::from_millis(500));
    let router = fast(Redstream::connect(options).await.unwrap()).into_router();
    let mut viewer = Viewer::open(&router).await;
    assert!(viewer.next().await.unwrap()["error"].is_null());
    server.kill().unwrap();
    eventually("the error", async || {
        let snapshot = viewer.next().await.unwrap();
        snapshot["overview"].is_null() && snapshot["error"].as_str().is_some_and(|error| !error.is_empty())
    })
    .await;
    let restart = move || server.restart().map(|()| server);
    let _server = tokio::task::spawn_blocking(restart).await.unwrap().unwrap();
    eventually("no error", async || viewer.next().await.unwrap()["error"].is_null()).await;
}

#[tokio::test]
async fn streams_of_events_end_with_the_server() {
    let shutdown = CancellationToken::new();
    let router = fast(redstream().await).shutdown(shutdown.clone()).into_router();
    let mut viewer = Viewer::open(&router).await;
    viewer.next().await.unwrap();
    shutdown.cancel();
    eventually("the end", async || viewer.next().await.is_none()).await;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(fast(redstream().await).serve(listener, stop.clone().cancelled_owned()));
    let mut viewer = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut viewer, request.as_bytes()).await.unwrap();
    let mut first = [0];
    tokio::io::AsyncReadExt::read_exact(&mut viewer, &mut first).await.unwrap();
    stop.cancel();
    tokio::time::timeout(BOUND, serving).await.expect("it ends though a page is open").unwrap().unwrap();
}
