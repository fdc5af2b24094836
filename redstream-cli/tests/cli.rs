//! The program as a person or a script runs it, against a real Redis.

mod support;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use redstream_core::{Batch, CancellationToken, HandlerError, MessageId, Start, Supervisor};
use redstream_rows::Rows;
use serde_json::{Value, json};

use self::support::{Shop, add, eventually};

#[tokio::test]
async fn status_tells_streams_consumers_and_what_is_behind() {
    let shop = Shop::open().await;
    let empty = shop.run(&["status"]);
    assert!(empty.stdout.contains("There is no stream in the namespace"), "{empty:?}");

    let books = shop.stream("books");
    books.register("search", Start::Earliest).await.unwrap();
    add(&shop, "books", 0..1234).await;
    let status = shop.run(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    for word in ["STREAM", "books", "search", "1,234", "stopped", "SERVER"] {
        assert!(status.stdout.contains(word), "{word} is missing: {status:?}");
    }

    let json = shop.json(&["status"]);
    let consumer = &json["streams"][0]["consumers"][0];
    assert_eq!(
        (&consumer["name"], &consumer["lag"], &consumer["state"]),
        (&json!("search"), &json!(1234), &json!("stopped"))
    );
    shop.stream("authors").register("search", Start::Earliest).await.unwrap();
    assert_eq!(shop.json(&["status"])["streams"].as_array().unwrap().len(), 2);
    assert_eq!(shop.json(&["status", "authors"])["streams"][0]["name"], "authors");
}

#[tokio::test]
async fn doctor_names_the_cause_and_the_cure_and_ends_with_one_if_there_are_problems() {
    let shop = Shop::open().await;
    let books = shop.stream("books");
    add(&shop, "books", 0..1).await;
    let doctor = shop.run(&["doctor"]);
    assert_eq!(doctor.code, 1, "{doctor:?}");
    assert!(doctor.stdout.contains("no consumer was ever registered") && doctor.stdout.contains("->"), "{doctor:?}");

    books.register("search", Start::Earliest).await.unwrap();
    let workers = Supervisor::new().with(books.delayer(Duration::from_secs(300))).with(books.trimmer());
    let well = eventually(async || {
        let json = shop.json(&["doctor"]);
        let problems = json["problems"].as_array().unwrap();
        // The settings of a test server are not those of production.
        problems.iter().all(|problem| problem["kind"] == "no_append_only_file" || problem["kind"] == "eviction")
    });
    workers.run_until(well).await.unwrap();
}

#[tokio::test]
async fn dead_letters_are_grouped_by_error_shown_redriven_and_discarded() {
    let shop = Shop::open().await;
    let books = shop.stream("books");
    add(&shop, "books", 0..6).await;
    let picky = async |batch: Batch| {
        let first = &batch.messages()[0];
        let id: u64 = first.payload::<Value>()?["id"].as_u64().unwrap();
        let error =
            if id.is_multiple_of(3) { format!("row {id} is locked") } else { format!("no author of \"book {id}\"") };
        Err::<(), _>(HandlerError::permanent(first.id(), error))
    };
    let letters = books.dead_letters("search").unwrap();
    let failed = eventually(async || letters.count().await.unwrap_or(0) == 6);
    Supervisor::new().with(books.consumer("search", picky)).run_until(failed).await.unwrap();

    let listed = shop.run(&["dead", "list"]);
    assert_eq!(listed.code, 1, "there are some: {listed:?}");
    assert!(listed.stdout.contains("row # is locked") && listed.stdout.contains("no author of \"…\""), "{listed:?}");
    let groups = shop.json(&["dead", "list", "books", "search"]);
    let group = |pattern: &str| {
        groups
            .as_array()
            .unwrap()
            .iter()
            .find(|group| group["pattern"] == pattern)
            .unwrap_or_else(|| panic!("{groups}"))
    };
    let (locked, lost) = (group("row # is locked"), group("no author of \"…\""));
    assert_eq!((&locked["count"], &lost["count"]), (&json!(2), &json!(4)));
    let (locked, lost) = (locked["fingerprint"].as_str().unwrap(), lost["fingerprint"].as_str().unwrap());

    let shown = shop.json(&["dead", "show", "books", "search", "--error", locked]);
    assert_eq!((shown.as_array().unwrap().len(), &shown[0]["payload"]), (2, &json!(r#"{"id":0}"#)));
    assert_eq!(shown[1]["error"], "row 3 is locked");
    let (id, none) = (shown[0]["id"].as_str().unwrap(), shop.run(&["dead", "show", "books", "search", "--id", "1-1"]));
    assert_eq!(none.code, 1, "{none:?}");

    // Without a terminal it cannot ask.
    let refused = shop.run(&["dead", "redrive", "books", "search", "--error", lost]);
    assert_eq!((refused.code, letters.count().await.unwrap()), (2, 6), "{refused:?}");
    assert!(refused.stderr.contains("4 messages are put back") && refused.stderr.contains("--yes"), "{refused:?}");

    let redriven = shop.run(&["dead", "redrive", "books", "search", "--error", lost, "--yes"]);
    assert_eq!((redriven.code, letters.count().await.unwrap()), (0, 2), "{redriven:?}");
    assert_eq!(books.lag("search").await.unwrap(), 4);
    let discarded = shop.run(&["dead", "discard", "books", "search", "--id", id, "--yes"]);
    assert_eq!((discarded.code, letters.count().await.unwrap()), (0, 1), "{discarded:?}");
    assert_eq!(shop.run(&["dead", "discard", "books", "search", "--id", id, "--yes"]).code, 1, "it is gone");
    assert_eq!(shop.json(&["dead", "discard", "books", "search", "--yes"])["discarded"], 1);
    assert_eq!(shop.run(&["dead", "list"]).code, 0, "there are none");
}

#[tokio::test]
async fn a_consumer_is_paused_resumed_rewound_and_forgotten() {
    let shop = Shop::open().await;
    let books = shop.stream("books");
    books.register("search", Start::Latest).await.unwrap();
    add(&shop, "books", 0..5).await;
    assert_eq!(shop.run(&["pause", "books", "search"]).code, 0);
    assert!(books.is_paused("search").await.unwrap());
    assert_eq!(shop.json(&["resume", "books", "search"])["paused"], false);
    assert!(!books.is_paused("search").await.unwrap());

    let refused = shop.run(&["rewind", "books", "search", "--to", "latest"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("5 messages") && refused.stderr.contains("are skipped"), "{refused:?}");
    assert_eq!(shop.run(&["rewind", "books", "search", "--to", "latest", "--yes"]).code, 0);
    assert_eq!(books.lag("search").await.unwrap(), 0);
    assert_eq!(shop.run(&["rewind", "books", "search", "--to", "earliest", "--yes"]).code, 0);
    assert_eq!(books.lag("search").await.unwrap(), 5);
    assert_eq!(shop.run(&["rewind", "books", "search", "--to", "tomorrow", "--yes"]).code, 2);

    let forgotten = shop.run(&["forget", "books", "search", "--yes"]);
    assert_eq!((forgotten.code, books.consumers().await.unwrap().len()), (0, 0), "{forgotten:?}");
    assert!(forgotten.stderr.contains("5 messages that it has not handled"), "{forgotten:?}");
    for verb in ["pause", "resume"] {
        let unknown = shop.run(&[verb, "books", "search"]);
        assert_eq!(unknown.code, 3, "{unknown:?}");
        assert!(unknown.stderr.contains("search"), "{unknown:?}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_consumer_is_told_with_the_command_that_removes_it() {
    let shop = Shop::open().await;
    let books = shop.stream("books");
    add(&shop, "books", 0..2).await;
    let bad = async |batch: Batch| Err::<(), _>(HandlerError::permanent(batch.messages()[0].id(), "bad"));
    let letters = books.dead_letters("old").unwrap();
    let failed = eventually(async || letters.count().await.unwrap_or(0) == 2);
    Supervisor::new().with(books.consumer("old", bad)).run_until(failed).await.unwrap();
    books.forget("old").await.unwrap();
    let left = || {
        let problems = shop.json(&["doctor"])["problems"].clone();
        let left = |kind: &str| problems.as_array().unwrap().iter().any(|problem| problem["kind"] == kind);
        (left("orphaned_dead_letters"), left("not_registered"))
    };
    assert_eq!(left(), (true, false));
    assert_eq!(shop.json(&["dead", "discard", "books", "old", "--yes"])["discarded"], 2);
    assert_eq!(left(), (false, false));

    shop.set_offset("books", "gem").await;
    assert_eq!(left(), (false, true));
    let refused = shop.run(&["forget", "books", "gem"]);
    assert!(refused.code == 2 && refused.stderr.contains("it is not registered"), "{refused:?}");
    assert_eq!(shop.run(&["forget", "books", "gem", "--yes"]).code, 0);
    assert_eq!((left(), shop.run(&["forget", "books", "gem", "--yes"]).code), ((false, false), 3));
}

#[tokio::test]
async fn what_is_committed_is_trimmed() {
    let shop = Shop::open().await;
    let books = shop.stream("books");
    add(&shop, "books", 0..5).await;
    let waits = shop.run(&["trim", "books"]);
    assert_eq!(waits.code, 1, "{waits:?}");
    assert!(waits.stdout.contains("no consumer"), "{waits:?}");
    books.consumer("search", async |_: Batch| Ok::<_, HandlerError>(())).run_once().await.unwrap();
    let trimmed = shop.json(&["trim", "books"]);
    assert!(trimmed["removed_entries"].as_u64().unwrap() > 0, "{trimmed}");
    assert!(books.is_empty().await.unwrap());
}

#[tokio::test]
async fn messages_are_printed_from_any_place() {
    let shop = Shop::open().await;
    add(&shop, "books", 0..3).await;
    shop.redstream.producer().delay(shop.stream("books").name(), &json!({ "id": 9 })).await.unwrap();
    let all = shop.run(&["tail", "books", "--from", "earliest", "--no-follow", "--json"]);
    let lines: Vec<Value> = all.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| &line["payload"]["id"]).collect::<Vec<_>>(), [0, 1, 2]);
    let first: MessageId = lines[0]["id"].as_str().unwrap().parse().unwrap();
    let rest = shop.run(&["tail", "books", "--from", &first.to_string(), "--no-follow"]);
    assert_eq!(rest.stdout.lines().count(), 2, "{rest:?}");
    let delayed = shop.run(&["tail", "books", "--delayed", "--from", "2020-01-01T00:00:00Z", "-c", "1"]);
    assert!(delayed.stdout.contains(r#"{"id":9}"#), "{delayed:?}");
    assert_eq!(shop.run(&["tail", "books", "--no-follow"]).stdout, "", "only later ones");
}

#[tokio::test]
async fn reindexes_are_listed_paused_resumed_and_ended() {
    let shop = Shop::open().await;
    let books = shop.stream("books");
    books.register("search", Start::Earliest).await.unwrap();
    assert!(books.pause("search", Duration::from_secs(5)).await.unwrap());
    // It waits for a consumer that does not come.
    let walk = books.reindex(Rows::new(books.name(), 10)).id("2026");
    let shutdown = CancellationToken::new();
    let (walking, operating) = tokio::join!(walk.run(shutdown.clone()), async {
        eventually(async || shop.json(&["reindex", "list"])[0]["state"] == "waiting_for_lag").await;
        let listed = shop.json(&["reindex", "list", "books"]);
        assert_eq!((&listed[0]["id"], &listed[0]["stream"]), (&json!("2026"), &json!("books")));
        assert!(listed[0]["queued"].as_u64().unwrap() > 0, "{listed}");
        assert!(shop.run(&["status"]).stdout.contains(" of 10"));
        assert_eq!(shop.run(&["reindex", "forget", "books", "2026"]).code, 1, "it is not finished");
        assert_eq!(shop.json(&["reindex", "pause", "books", "2026"])["state"], "paused");
        assert_eq!(shop.run(&["reindex", "resume", "books", "2026"]).code, 0);
        assert_eq!(shop.run(&["reindex", "abort", "books", "2026"]).code, 2, "it asks first");
        assert_eq!(shop.json(&["reindex", "abort", "books", "2026", "--yes"])["state"], "aborted");
        shutdown.cancel();
    });
    let () = operating;
    assert!(!walking.unwrap().is_done());
    assert_eq!(shop.run(&["reindex", "forget", "books", "2026"]).code, 0);
    assert_eq!(shop.json(&["reindex", "list"]), json!([]));
    let unknown = shop.run(&["reindex", "pause", "books", "all"]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
    assert!(unknown.stderr.contains("all"), "{unknown:?}");
}

#[tokio::test]
async fn a_wrong_call_and_a_redis_that_is_not_there_have_codes_of_their_own() {
    let shop = Shop::open().await;
    assert_eq!(shop.run(&["statsu"]).code, 2);
    assert_eq!(shop.run(&["status", "--sentinel", "redis://127.0.0.1:1"]).code, 2, "without --master");
    let absent = shop.run(&["status", "--redis", "redis://user:secret@127.0.0.1:1", "--timeout", "1s"]);
    assert_eq!(absent.code, 3, "{absent:?}");
    assert!(absent.stderr.contains("127.0.0.1:1") && !absent.stderr.contains("secret"), "{absent:?}");
    let name = shop.run(&["status", "a stream"]);
    assert_eq!(name.code, 3, "{name:?}");
}

/// The status code and the body that the server answers with.
fn answer(address: &str, request: &str) -> (String, String) {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.replace('\n', "\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn the_dashboard_is_served_read_only_unless_told_otherwise_and_ends_when_told() {
    let shop = Shop::open().await;
    let books = shop.stream("books");
    books.register("search", Start::Earliest).await.unwrap();
    for (arguments, code) in [
        (&["web", "--listen", "127.0.0.1:0"][..], "403"),
        (&["web", "--listen", "127.0.0.1:0", "--allow-actions"], "200"),
    ] {
        let mut server = shop.spawn(arguments);
        let told = server.line();
        let address = told.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
        let get = |host: &str| format!("GET /status HTTP/1.1\nHost: {host}\nConnection: close\n\n");
        let (status, body) = answer(&address, &get(&address));
        assert!(status == "200" && body.contains("books"), "{status}: {body}");
        assert_eq!(answer(&address, &get("evil.example")).0, "421", "a foreign name");
        let body = r#"{"stream":"books","consumer":"search"}"#;
        let post = format!(
            "POST /actions/pause HTTP/1.1\nHost: {address}\nConnection: close\nContent-Type: application/json\n\
             Sec-Fetch-Site: same-origin\nContent-Length: {}\n\n{body}",
            body.len()
        );
        let (status, body) = answer(&address, &post);
        assert_eq!(status, code, "{body}");
        assert_eq!(books.is_paused("search").await.unwrap(), code == "200");
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn completions_and_the_manual_need_no_redis() {
    for (arguments, word) in [(&["completions", "bash"][..], "complete"), (&["man"][..], ".TH")] {
        let printed = support::run(&[], arguments);
        assert_eq!(printed.code, 0, "{printed:?}");
        assert!(printed.stdout.contains(word), "{printed:?}");
    }
}

/// The names of all fields of a value.
fn fields(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| fields(value, found)),
        Value::Object(object) => object.iter().for_each(|(name, value)| {
            found.insert(name.clone());
            fields(value, found);
        }),
        _ => {}
    }
}

#[tokio::test]
async fn every_field_of_the_json_is_on_the_page() {
    const PAGE: &str = include_str!("../../docs/cli.md");
    let shop = Shop::open().await;
    shop.stream("books").register("search", Start::Earliest).await.unwrap();
    add(&shop, "books", 0..1).await;
    let mut found = BTreeSet::new();
    for arguments in [
        &["status"][..],
        &["doctor"],
        &["tail", "books", "--from", "earliest", "-c", "1"],
        &["pause", "books", "search"],
        &["resume", "books", "search"],
        &["trim", "books"],
        &["rewind", "books", "search", "--to", "latest", "--yes"],
        &["forget", "books", "search", "--yes"],
    ] {
        // The payload is the application's.
        let mut json = shop.json(arguments);
        json.as_object_mut().unwrap().remove("payload");
        fields(&json, &mut found);
    }
    let missing: Vec<_> = found.iter().filter(|name| !PAGE.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty() && found.len() > 40, "{missing:?}");
}
