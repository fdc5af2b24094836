//! The program on every kind of deployment: Sentinels, a Cluster, TLS.

mod support;

use std::fs;

use redstream_core::{Batch, ConnectOptions, HandlerError, NewMessage, Payload, Redstream, Supervisor};
use serde_json::{Value, json};

use self::support::deployment::Deployment;
use self::support::{Run, eventually, run};

/// The same deployment as the program sees it.
async fn connect(deployment: &Deployment) -> Redstream {
    let value = |name: &str| {
        let found = deployment.environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    };
    let options = match (value("REDIS_SENTINELS"), value("REDIS_CLUSTER")) {
        (Some(sentinels), _) => ConnectOptions::sentinel([sentinels], "main").node(value("REDIS_NODE").unwrap()),
        (_, Some(nodes)) => ConnectOptions::cluster(nodes.split(',')),
        _ => {
            let root = fs::read(value("REDIS_ROOT_CERTIFICATE").unwrap()).unwrap();
            ConnectOptions::new(value("REDIS_URL").unwrap()).root_certificate(root)
        }
    };
    Redstream::connect(options.namespace("shop")).await.unwrap()
}

async fn everything_works(deployment: Deployment, servers: usize) {
    let redstream = connect(&deployment).await;
    let mut environment: Vec<(&str, &str)> =
        deployment.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    environment.push(("REDSTREAM_NAMESPACE", "shop"));
    let redstream_program = |arguments: &[&str]| run(&environment, arguments);
    let json = |run: &Run| -> Value { serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}")) };

    // Streams of several slots, one with a dead letter.
    let names = ["authors", "books", "cities", "orders", "products"];
    for name in names {
        let stream = redstream.stream(name).unwrap();
        let payload = Payload::encode(&json!({ "id": 1 })).unwrap();
        redstream.producer().queue_all(&[NewMessage::new(stream.name().clone(), payload)]).await.unwrap();
    }
    let books = redstream.stream("books").unwrap();
    let bad = async |batch: Batch| Err::<(), _>(HandlerError::permanent(batch.messages()[0].id(), "no such author"));
    let letters = books.dead_letters("search").unwrap();
    let failed = eventually(async || letters.count().await.unwrap_or(0) == 1);
    Supervisor::new().with(books.consumer("search", bad)).run_until(failed).await.unwrap();

    let status = json(&redstream_program(&["status", "--json"]));
    let found: Vec<_> = status["streams"].as_array().unwrap().iter().map(|stream| stream["name"].clone()).collect();
    assert_eq!((found, status["servers"].as_array().unwrap().len()), (names.map(Value::from).to_vec(), servers));
    let shown = redstream_program(&["status", "books"]);
    assert!(shown.code == 0 && shown.stdout.contains("search"), "{shown:?}");

    let doctor = redstream_program(&["doctor", "--json"]);
    let kinds: Vec<_> = json(&doctor)["problems"].as_array().unwrap().iter().map(|one| one["kind"].clone()).collect();
    assert!(doctor.code == 1 && kinds.contains(&json!("dead_letters")), "{doctor:?}");
    assert!(!kinds.contains(&json!("unreadable")) && !kinds.contains(&json!("no_append_only_file")), "{doctor:?}");

    for (verb, is_paused) in [("pause", true), ("resume", false)] {
        let run = redstream_program(&[verb, "books", "search"]);
        assert_eq!((run.code, books.is_paused("search").await.unwrap()), (0, is_paused), "{run:?}");
    }
    let listed = redstream_program(&["dead", "list"]);
    assert!(listed.code == 1 && listed.stdout.contains("no such author"), "{listed:?}");
    let redriven = redstream_program(&["dead", "redrive", "books", "search", "--yes"]);
    assert_eq!((redriven.code, books.lag("search").await.unwrap()), (0, 1), "{redriven:?}");
}

#[tokio::test]
async fn sentinels_name_the_master_that_is_operated() {
    Box::pin(everything_works(Deployment::sentinel().await, 1)).await;
}

#[tokio::test]
async fn every_master_of_a_cluster_is_operated() {
    Box::pin(everything_works(Deployment::cluster().await, 3)).await;
}

#[tokio::test]
async fn a_server_is_operated_by_tls() {
    let deployment = Deployment::tls().await;
    let without_its_authority = run(&[("REDIS_URL", &deployment.environment[0].1)], &["status", "--timeout", "1s"]);
    assert_eq!(without_its_authority.code, 3, "{without_its_authority:?}");
    Box::pin(everything_works(deployment, 1)).await;
}
