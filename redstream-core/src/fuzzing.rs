//! Access to the parsers of bytes from Redis, for fuzzing. Not part of the public interface.
//!
//! Each takes any bytes and must neither panic nor allocate more than these. `cargo fuzz` runs them (see `fuzz/`), and
//! so do the tests of this crate, with fewer bytes.

use redis::{FromRedisValue, Value};

use crate::consumer::dead_letters;
use crate::message::entry::Entry;
use crate::message::{Message, MessageId};
use crate::stream::admin;
use crate::transport::replies::{Entries, Flat, Range};
use crate::transport::resp;
use crate::transport::server;
use crate::transport::server::durability;

/// An id, as in replies and in keys. An id that was parsed and written is parsed as the same id.
pub fn id(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(id) = text.parse::<MessageId>() {
        assert_eq!(id.to_string().parse(), Ok(id), "{text}");
    }
}

/// A reply of Redis, parsed as every type that replies are parsed as.
pub fn reply(bytes: &[u8]) {
    for budget in [1, 64] {
        resp::read(bytes, budget).into_iter().flatten().for_each(messages);
    }
    let Ok(value) = redis::parse_redis_value(bytes) else { return };
    entries(value.clone());
    letters(value.clone());
    let _ = redis::from_redis_value::<Vec<String>>(value.clone());
    let _ = redis::from_redis_value::<(String, String)>(value.clone());
    let _ = redis::from_redis_value::<Option<u64>>(value);
}

/// The answer to `INFO`, and the settings.
pub fn info(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (info, appendfsync) = text.split_once('\0').unwrap_or((&text, ""));
    let _ = server::Server::from_info(info).title();
    let settings = ["appendfsync", "no-appendfsync-on-rewrite"].map(|name| (name.to_owned(), appendfsync.to_owned()));
    let _ = durability::risks(info, &settings.into());
}

/// A consumer's note in the registry.
pub fn note(bytes: &[u8]) {
    let _ = admin::delay_of_note(&String::from_utf8_lossy(bytes));
}

fn entries(value: Value) {
    let read = Entries::from_redis_value(value.clone()).map(|Entries(entries)| entries);
    let ranged = Range::from_redis_value(value.clone()).map(|Range(entries)| entries);
    let flat = Flat::from_redis_value(value).map(|Flat(entries)| entries);
    [read, ranged, flat].into_iter().flatten().flatten().for_each(messages);
}

/// An entry has as many messages as it says, in order, and the last one has its id.
fn messages(entry: Entry) {
    let (id, len) = (entry.id(), entry.len());
    let messages: Vec<Message> = entry.collect();
    assert_eq!((messages.len(), messages.last().map(Message::id)), (len, Some(id)));
    assert!(messages.is_sorted_by_key(Message::id));
    messages.iter().for_each(decode);
}

fn decode(message: &Message) {
    let _ = message.payload::<serde_json::Value>();
    let _ = message.payload::<std::collections::HashMap<String, i64>>();
}

fn letters(value: Value) {
    let entries = redis::from_redis_value::<Vec<(String, Vec<Vec<u8>>)>>(value).unwrap_or_default();
    for (id, fields) in entries {
        let _ = dead_letters::letter(&id, &fields);
    }
}
