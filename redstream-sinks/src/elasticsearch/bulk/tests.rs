//! The text of requests, and their limits.

use serde::Serializer;
use serde::ser::Error as _;

use super::*;

mod city {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "cities")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A record; one of a negative size cannot be written.
#[derive(Clone, Copy)]
struct Record(i64);

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 < 0 {
            return Err(S::Error::custom("a negative size"));
        }
        std::collections::BTreeMap::from([("size", self.0)]).serialize(serializer)
    }
}

fn key(name: &str) -> Key<city::Entity> {
    Key::new(name.to_owned())
}

fn changes(upserts: &[(&str, i64)], deletes: &[&str], respelled: &[&str]) -> Changes<city::Entity, Record> {
    let keys = |names: &[&str]| names.iter().map(|name| key(name)).collect();
    Changes {
        upserts: upserts.iter().map(|(name, size)| (key(name), Record(*size))).collect(),
        deletes: keys(deletes),
        respelled: keys(respelled),
        version: 7,
    }
}

fn bulk(
    changes: Changes<city::Entity, Record>,
    addressing: &Addressing<city::Entity>,
) -> (String, Bulk<city::Entity>, usize) {
    let mut failures = Failures::new();
    let bulk = Bulk::new(changes, addressing, &mut failures);
    let all: Vec<usize> = (0..bulk.documents.len()).collect();
    let failed = format!("{failures:?}").matches("Key(").count();
    (String::from_utf8(bulk.body(&all).to_vec()).unwrap(), bulk, failed)
}

#[test]
fn a_request_has_two_lines_for_each_record_and_one_for_each_delete() {
    let (text, ..) = bulk(changes(&[("Ulm", 3)], &["Bonn"], &["ulm"]), &Addressing::default());
    let expected = [
        r#"{"index":{"_id":"Ulm","version":7,"version_type":"external_gte"}}"#,
        r#"{"size":3}"#,
        r#"{"delete":{"_id":"Bonn","version":7,"version_type":"external_gte"}}"#,
        r#"{"delete":{"_id":"ulm","version":7,"version_type":"external_gte"}}"#,
        "",
    ];
    assert_eq!(text, expected.join("\n"));
}

#[test]
fn id_index_and_routing_are_functions_of_the_key() {
    let addressing = Addressing {
        id: Some(std::sync::Arc::new(|key| format!("{}\n", key.value()))),
        index: Some(std::sync::Arc::new(|key| format!("i-{}", key.value()))),
        routing: Some(std::sync::Arc::new(|key| format!("r-{}", key.value()))),
    };
    let (text, ..) = bulk(changes(&[], &["Ulm"], &[]), &addressing);
    let expected =
        r#"{"delete":{"_id":"Ulm\n","_index":"i-Ulm","routing":"r-Ulm","version":7,"version_type":"external_gte"}}"#;
    assert_eq!(text, format!("{expected}\n"));
}

#[test]
fn records_without_json_or_without_an_id_fail_alone() {
    let long = "x".repeat(513);
    let (text, bulk, failed) =
        bulk(changes(&[("a", 1), ("b", -1), ("", 1)], &[&long, "c"], &[]), &Addressing::default());
    assert_eq!((bulk.documents.len(), failed), (2, 3));
    assert_eq!(text.lines().count(), 3);
    assert!(!text.contains(r#""_id":"b""#));
}

#[test]
fn several_keys_of_one_document_write_it_once_and_do_not_delete_it() {
    let id = |key: &Key<city::Entity>| key.value().to_lowercase();
    let lower = Addressing { id: Some(std::sync::Arc::new(id)), ..Default::default() };
    let (text, ..) = bulk(changes(&[("Ulm", 1), ("ULM", 2)], &["A", "a"], &["ulm"]), &lower);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1], r#"{"size":2}"#);
    assert!(lines[2].starts_with(r#"{"delete":{"_id":"a","#));
}

#[test]
fn newlines_between_values_do_not_end_a_line() {
    let mut buffer = Vec::new();
    let raw: Box<serde_json::value::RawValue> = serde_json::from_str("{\n\"a\":\r\n\"b\\n\"}").unwrap();
    write_line(&mut buffer, &raw).unwrap();
    assert_eq!(String::from_utf8(buffer).unwrap(), "{ \"a\":  \"b\\n\"}\n");
}

#[test]
fn requests_keep_both_limits_and_larger_documents_go_alone() {
    let upserts: Vec<(String, i64)> = (0..10).map(|n| (format!("{n}"), n)).collect();
    let upserts: Vec<(&str, i64)> = upserts.iter().map(|(name, size)| (&**name, *size)).collect();
    let (text, bulk, _) = bulk(changes(&upserts, &[], &[]), &Addressing::default());
    let one = text.len() / 10;
    let sizes = |documents, bytes| bulk.requests(Limits { documents, bytes }).iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(4, usize::MAX), [4, 4, 2]);
    assert_eq!(sizes(100, 3 * one), [3, 3, 3, 1]);
    assert_eq!(sizes(100, 1), [1; 10]);
    let joined: Vec<u8> =
        bulk.requests(Limits { documents: 3, bytes: usize::MAX }).iter().flat_map(|r| bulk.body(r)).collect();
    assert_eq!(joined, text.as_bytes());
    assert_eq!(bulk.body(&[0, 2]), [&text.as_bytes()[..one], &text.as_bytes()[2 * one..3 * one]].concat());
    assert!(bulk.body(&[]).is_empty() && !bulk.is_empty());
}
