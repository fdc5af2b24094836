//! Texts in queries.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redstream_sinks::redisearch::escape;

use super::*;

#[tokio::test]
async fn a_hyphen_in_a_tag_is_an_operator_unless_it_is_escaped() {
    let server = Server::start(Index::hash("cities", "city:").field(Field::tag("code"))).await;
    let record = json!({ "id": 1, "code": "a-b" });
    write(&server.sink().await, changes(5, [(1, record)], &[])).await.unwrap();
    assert_eq!(server.search(&format!("@code:{{{}}}", escape("a-b"))).await, ["city:1"]);
    let mut plain = redis::cmd("FT.SEARCH");
    plain.arg("cities").arg("@code:{a-b}").arg("DIALECT").arg(1);
    assert!(plain.exec_async(&mut server.raw.clone()).await.is_err());
}

/// Each printable character alone, and words that mean something in a query.
#[tokio::test]
async fn each_character_and_each_word_of_the_language_is_found_as_a_tag() {
    let server = Server::start(separated_tags()).await;
    let sink = server.sink().await;
    let characters = ('!'..='~').filter(|character| *character != '|').map(String::from);
    let words =
        ["OR", "AND", "NOT", "inf", "-inf", "1e5", "-1", "0.5", "null", "true", "the", "a", "AS", "__", "_a", "a_"];
    for text in characters.chain(words.map(String::from)) {
        assert_eq!(found_as_tag(&server, &sink, &text).await, ["city:1"], "{text}");
    }
}

/// On a thread that may block.
#[test]
fn any_text_is_found_as_a_tag() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = runtime.block_on(Server::start(separated_tags()));
    let sink = runtime.block_on(server.sink());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(600) });
    // The server separates values, and trims them.
    let texts = prop_oneof!["[ -{}~äß✓]{1,2}", "[ -{}~äß✓]{1,12}"]
        .prop_map(|text| text.trim().to_owned())
        .prop_filter("empty", |text| !text.is_empty());
    let held = runner.run(&texts, |text| {
        let found = runtime.block_on(found_as_tag(&server, &sink, &text));
        prop_assert_eq!(found, ["city:1"]);
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

fn separated_tags() -> Index {
    Index::hash("cities", "city:").field(Field::tag("code").with(["SEPARATOR", "|"]))
}

/// Writes a city with this code, and searches for the code.
async fn found_as_tag(server: &Server, sink: &Cities, text: &str) -> Vec<String> {
    write(sink, changes(1, [(1, json!({ "id": 1, "code": text }))], &[])).await.unwrap();
    server.search(&format!("@code:{{{}}}", escape(text))).await
}
