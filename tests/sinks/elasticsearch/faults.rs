//! Requests that are refused for now or for good, and answers that do not come whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::*;
use crate::support::eventually;

const REJECTED: &str =
    r#"{"error":{"type":"es_rejected_execution_exception","reason":"the queue is full"},"status":429}"#;

/// A proxy that breaks the first bulk requests by these faults.
async fn proxy_with(server: &Server, faults: impl IntoIterator<Item = Fault>) -> Proxy {
    let mut faults: Vec<_> = faults.into_iter().collect();
    faults.reverse();
    Proxy::start(server.port(), move |request| request.is_bulk().then(|| faults.pop()).flatten()).await
}

async fn proxy_that(server: &Server, fault: impl Fn(&Message) -> Option<Fault> + Send + 'static) -> Proxy {
    Proxy::start(server.port(), move |request| if request.is_bulk() { fault(request) } else { None }).await
}

fn cities(ids: std::ops::Range<i64>) -> Changes<city::Entity, Json> {
    changes(1, ids.map(|id| (id, named("Ulm"))), &[])
}

#[tokio::test]
async fn what_is_refused_for_now_is_sent_again_when_the_server_says() {
    let server = Server::any().await;
    let proxy = proxy_with(
        &server,
        [
            Fault::Instead(429, "retry-after: 1", REJECTED),
            Fault::Instead(503, "", "<html>no backend</html>"),
            Fault::Instead(502, "", ""),
            Fault::Instead(504, "", ""),
        ],
    );
    let proxy = proxy.await;
    write(&sink_at(proxy.port), cities(0..3)).await.unwrap();
    assert_eq!(server.names(0..3).await.len(), 3);
    let bulks = proxy.bulks();
    assert_eq!(bulks.len(), 5);
    assert!(bulks[1].0 - bulks[0].0 >= Duration::from_secs(1), "{:?}", bulks[1].0 - bulks[0].0);
    assert!(bulks[2].0 - bulks[1].0 >= Duration::from_millis(100), "{:?}", bulks[2].0 - bulks[1].0);
}

on_each_server! {
    async fn answers_that_do_not_come_whole_are_asked_for_again(server: Server) {
        let faults = [
            Fault::BreakBefore,
            Fault::BreakWithin,
            Fault::Half,
            Fault::Silent,
            Fault::Instead(200, "", r#"{"errors":false,"items":[]}"#),
        ];
        let proxy = proxy_with(&server, faults).await;
        let client = Elasticsearch::builder([format!("http://127.0.0.1:{}", proxy.port)]).timeout(Duration::from_millis(500));
        let sink = ElasticsearchSink::<city::Entity>::new(client.build().unwrap(), "cities").create_index(mapping());
        write(&sink, changes(7, [(1, named("Ulm"))], &[2])).await.unwrap();
        assert_eq!(server.names(1..3).await, [(1, "Ulm".to_owned())]);
        assert_eq!(proxy.bulks().len(), 6);
    }

    async fn only_the_documents_that_were_refused_for_now_are_sent_again(server: Server) {
        let answer = r#"{"errors":true,"items":[{"index":{"_id":"0","status":201}},
            {"index":{"_id":"1","status":429,"error":{"type":"es_rejected_execution_exception","reason":"queue"}}},
            {"index":{"_id":"2","status":400,"error":{"type":"mapper_parsing_exception","reason":"no"}}},
            {"index":{"_id":"3","status":503,"error":{"type":"unavailable_shards_exception","reason":"shard"}}}]}"#;
        let proxy = proxy_with(&server, [Fault::Instead(200, "", answer)]).await;
        let (failed, _) = failures_of(write(&sink_at(proxy.port), cities(0..4)).await);
        assert_eq!(failed, "the record {\"id\":2} was not written");
        let sent: Vec<_> = proxy.bulks().iter().map(|(_, request)| request.ids().join(" ")).collect();
        assert_eq!(sent, ["0 1 2 3", "1 3"]);
        assert_eq!(server.names(0..4).await.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 3]);
    }
}

#[tokio::test]
async fn an_index_that_is_blocked_for_writes_is_waited_for() {
    let server = Server::any().await;
    let proxy = proxy_with(&server, []).await;
    let sink = sink_at(proxy.port);
    sink.prepare().await.unwrap();
    let block = |on: bool| json!({ "index": { "blocks": { "read_only_allow_delete": on } } });
    server.ask("PUT", "/cities/_settings", block(true)).await;
    let writing = tokio::spawn(async move { write(&sink, cities(0..2)).await });
    eventually(SOON, "a second attempt", async || proxy.bulks().len() >= 2).await;
    assert_eq!(server.names(0..2).await, []);
    server.ask("PUT", "/cities/_settings", block(false)).await;
    writing.await.unwrap().unwrap();
    assert_eq!(server.names(0..2).await.len(), 2);
}

#[tokio::test]
async fn retries_end_and_the_batch_fails_with_the_last_refusal() {
    let server = Server::any().await;
    let proxy = proxy_that(&server, |_| Some(Fault::Instead(429, "", REJECTED))).await;
    let sink = sink_at(proxy.port).retry_for(Duration::from_secs(1));
    let error = error_of(write(&sink, cities(0..2)).await);
    let Error::RetriesExhausted { attempts, source, .. } = error else { panic!("{error}") };
    assert!(
        matches!(&*source, Error::Unavailable { status: 429, reason, .. } if reason == "the queue is full"),
        "{source}"
    );
    assert_eq!(attempts, proxy.bulks().len());
    assert!(attempts > 1);
    // A later time than the bound is not waited for.
    let proxy = proxy_that(&server, |_| Some(Fault::Instead(429, "retry-after: 100", REJECTED))).await;
    let error = error_of(write(&sink_at(proxy.port), cities(0..2)).await);
    assert!(matches!(error, Error::RetriesExhausted { attempts: 1, .. }), "{error}");
}

on_each_server! {
    async fn a_request_that_is_too_large_is_halved_and_a_document_that_is_fails_alone(server: Server) {
        let proxy = proxy_that(&server, |request| (request.body.len() > 1000).then_some(Fault::Instead(413, "", ""))).await;
        let large = named(&"x".repeat(1500));
        let records = (0..50).map(|id| (id, if id == 17 { large.clone() } else { named("Ulm") }));
        let (failed, first) = failures_of(write(&sink_at(proxy.port), changes(1, records, &[60])).await);
        assert_eq!(failed, "the record {\"id\":17} was not written");
        assert!(first.contains("`17` of 15") && first.contains("too large for the server (413)"), "{first}");
        let written = server.names(0..50).await;
        assert!(written.len() == 49 && written.iter().all(|(id, _)| *id != 17));
    }

    async fn a_request_that_cannot_be_read_is_halved_until_its_document_is_found(server: Server) {
        let has_poison = |request: &Message| request.ids().iter().any(|id| ["13", "40"].contains(&&**id));
        let proxy = proxy_that(&server, move |request| {
            has_poison(request).then_some(Fault::Instead(400, "", r#"{"error":{"reason":"malformed"}}"#))
        });
        let proxy = proxy.await;
        let (failed, first) = failures_of(write(&sink_at(proxy.port), cities(0..50)).await);
        assert!(failed.starts_with("2 records were not written, the first of them {\"id\":"), "{failed}");
        assert!(first.ends_with("was refused (400 the whole request): malformed"), "{first}");
        let written: Vec<i64> = server.names(0..50).await.into_iter().map(|(id, _)| id).collect();
        assert_eq!(written, (0..50).filter(|id| ![13, 40].contains(id)).collect::<Vec<_>>());
        assert!(proxy.bulks().len() <= 1 + 2 * 2 * 6, "{}", proxy.bulks().len());
    }
}

#[tokio::test]
async fn a_refusal_of_another_kind_fails_the_batch() {
    let server = Server::any().await;
    let proxy = proxy_that(&server, |_| Some(Fault::Instead(405, "", "only GET"))).await;
    let error = error_of(write(&sink_at(proxy.port), cities(0..2)).await);
    assert!(matches!(&error, Error::Refused { status: 405, reason, .. } if reason == "only GET"), "{error}");
    assert_eq!(proxy.bulks().len(), 1);
}

#[tokio::test]
async fn requests_are_in_flight_at_once_up_to_the_limit_which_falls_with_refusals() {
    let server = Server::any().await;
    let refusing = Arc::new(AtomicBool::new(false));
    let plan = {
        let refusing = refusing.clone();
        move |_: &Message| {
            let late = Fault::Late(Duration::from_millis(50));
            Some(if refusing.load(SeqCst) { Fault::Instead(429, "", REJECTED) } else { late })
        }
    };
    let proxy = proxy_that(&server, plan).await;
    let sink = sink_at(proxy.port).max_documents(5).max_concurrency(3).retry_for(Duration::from_millis(900));
    write(&sink, cities(0..100)).await.unwrap();
    assert_eq!((proxy.most(), proxy.bulks().len()), (3, 20));
    assert_eq!(proxy.overlaps(), [""; 0]);

    refusing.store(true, SeqCst);
    assert!(matches!(error_of(write(&sink, cities(0..100)).await), Error::RetriesExhausted { .. }));
    refusing.store(false, SeqCst);
    let before = proxy.bulks().len();
    write(&sink, cities(0..100)).await.unwrap();
    let bulks = &proxy.bulks()[before..];
    assert!(bulks[1].0 - bulks[0].0 >= Duration::from_millis(50), "the second request waits for the first");
    assert!(bulks[19].0 - bulks[0].0 < 15 * Duration::from_millis(50), "later ones do not wait for each other");
}
