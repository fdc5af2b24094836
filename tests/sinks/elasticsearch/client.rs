//! Credentials, compression, signatures, and several nodes.

use std::sync::{Arc, Mutex};

use super::*;

/// A server that accepts these credentials only: `Basic dTpw` is that of `u:p`.
async fn guarded(server: &Server, accepted: &'static str) -> Proxy {
    let refusal =
        r#"{"error":{"type":"security_exception","reason":"missing authentication credentials"},"status":401}"#;
    Proxy::start(server.port(), move |request| {
        (request.header("authorization") != Some(accepted)).then_some(Fault::Instead(401, "", refusal))
    })
    .await
}

fn sink_with(client: Elasticsearch) -> ElasticsearchSink<city::Entity> {
    ElasticsearchSink::new(client, "cities").create_index(mapping())
}

#[tokio::test]
async fn credentials_are_sent_in_each_form() {
    let server = Server::any().await;
    for (accepted, url, set) in [
        ("Basic dTpw", "http://127.0.0.1", None),
        ("Basic dTpw", "http://u:p@127.0.0.1", Some("url")),
        ("ApiKey a2V5", "http://127.0.0.1", Some("key")),
        ("Bearer token", "http://127.0.0.1", Some("bearer")),
    ] {
        let proxy = guarded(&server, accepted).await;
        let builder = Elasticsearch::builder([format!("{url}:{}", proxy.port)]);
        let builder = match set {
            None => builder.basic("u", "p"),
            Some("key") => builder.api_key("a2V5"),
            Some("bearer") => builder.bearer("token"),
            Some(_) => builder,
        };
        write(&sink_with(builder.build().unwrap()), changes(1, [(1, named(accepted))], &[])).await.unwrap();
        assert_eq!(server.document("1").await, Some(named(accepted)));
    }
}

#[tokio::test]
async fn wrong_credentials_fail_the_batch_at_once_and_say_what_to_do() {
    let server = Server::any().await;
    sink_at(server.port()).prepare().await.unwrap();
    for check in [true, false] {
        let proxy = guarded(&server, "Basic dTpw").await;
        let client = Elasticsearch::builder([format!("http://u:wrong@127.0.0.1:{}", proxy.port)]).build().unwrap();
        let sink = sink_with(client).check_index(check);
        let error = error_of(write(&sink, changes(1, [(1, named("Ulm"))], &[])).await);
        assert!(matches!(&error, Error::Unauthorized { status: 401, .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("missing authentication credentials") && text.contains("Check the credentials"),
            "{text}"
        );
        assert!(!text.contains("wrong"), "{text}");
        assert_eq!(proxy.bulks().len(), usize::from(!check), "it is not repeated");
    }
    // A user who may read the index, and not write it.
    let item = r#"{"errors":true,"items":[{"index":{"_id":"1","status":403,"error":{"type":"security_exception","reason":"unauthorized for user [u]"}}}]}"#;
    let proxy =
        Proxy::start(server.port(), move |request| request.is_bulk().then_some(Fault::Instead(200, "", item))).await;
    let error = error_of(write(&sink_at(proxy.port), changes(1, [(1, named("Ulm"))], &[])).await);
    assert!(matches!(&error, Error::Unauthorized { status: 403, .. }), "{error}");
}

#[tokio::test]
async fn a_signer_sees_the_whole_request_and_signs_each_attempt() {
    let server = Server::any().await;
    let mut refusals = vec![Fault::Instead(503, "", "")];
    let proxy = Proxy::start(server.port(), move |request| request.is_bulk().then(|| refusals.pop()).flatten()).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let client = Elasticsearch::builder([format!("http://127.0.0.1:{}", proxy.port)]).signer({
        let seen = seen.clone();
        move |request| {
            let mut seen = seen.lock().unwrap();
            seen.push((format!("{} {} {:?}", request.method, request.url, request.headers), request.body.to_vec()));
            Ok(vec![("authorization".to_owned(), format!("signature {}", seen.len()))])
        }
    });
    write(&sink_with(client.build().unwrap()), changes(1, [(1, named("Ulm"))], &[])).await.unwrap();
    let bulks = proxy.bulks();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let signed: Vec<_> = seen.iter().filter(|(request, _)| request.contains("_bulk")).collect();
    assert_eq!((bulks.len(), signed.len()), (2, 2));
    let start = format!("POST http://127.0.0.1:{}/cities/_bulk?", proxy.port);
    assert!(
        signed[0].0.starts_with(&start) && signed[0].0.ends_with(r#"[("content-type", "application/x-ndjson")]"#),
        "{}",
        signed[0].0
    );
    assert_eq!(signed[0].1, bulks[0].1.body);
    let signatures: Vec<_> = bulks.iter().map(|(_, request)| request.header("authorization").unwrap()).collect();
    assert!(signatures[0] != signatures[1] && signatures[1] == format!("signature {}", seen.len()), "{signatures:?}");

    let failing = Elasticsearch::builder([server.search.url()]).signer(|_| Err("the credentials are expired".into()));
    let error = error_of(write(&sink_with(failing.build().unwrap()), changes(1, [(1, named("Ulm"))], &[])).await);
    assert!(matches!(&error, Error::Signature { source, .. } if source.to_string().contains("expired")), "{error}");
}

on_each_server! {
    async fn bodies_are_compressed_if_asked_for(server: Server) {
        let proxy = Proxy::start(server.port(), |_| None).await;
        for gzip in [false, true] {
            let client = Elasticsearch::builder([format!("http://127.0.0.1:{}", proxy.port)]).gzip(gzip).build().unwrap();
            let names = (0..100).map(|id| (id, named(&format!("city {gzip}"))));
            write(&sink_with(client), changes(1, names, &[])).await.unwrap();
            assert_eq!(server.names(0..100).await.iter().filter(|(_, name)| *name == format!("city {gzip}")).count(), 100);
        }
        let bulks = proxy.bulks();
        let encodings: Vec<_> = bulks.iter().map(|(_, request)| request.header("content-encoding")).collect();
        assert_eq!(encodings, [None, Some("gzip")]);
        assert!(bulks[1].1.body.len() * 4 < bulks[0].1.body.len());
    }
}

#[tokio::test]
async fn a_broken_node_is_left_and_the_others_do_its_work() {
    let server = Server::any().await;
    let silent = redstream_servers::free_port().unwrap();
    let breaking = Proxy::start(server.port(), |_| Some(Fault::BreakBefore)).await;
    let working = Proxy::start(server.port(), |_| None).await;
    let client = client_of(&[silent, breaking.port, working.port]);
    let sink = sink_with(client);
    for id in 0..10 {
        write(&sink, changes(1, [(id, named("Ulm"))], &[])).await.unwrap();
    }
    assert_eq!(server.names(0..10).await.len(), 10);
    assert_eq!(working.bulks().len(), 10);
    assert!(breaking.bulks().len() <= 3, "it is left for a while");

    let nowhere = sink_with(client_of(&[silent])).retry_for(Duration::ZERO);
    let error = error_of(write(&nowhere, changes(1, [(1, named("Ulm"))], &[])).await);
    assert!(matches!(&error, Error::Connection { node, .. } if node.contains(&silent.to_string())), "{error}");
}
