//! Ids, payloads, names: what is accepted, and what each refusal says.

use std::error::Error as _;

use redstream_core::{
    ConnectOptions, DecodeError, Error, InvalidMessageId, InvalidName, MessageId, Payload, PayloadError, StreamName,
};
use serde::Serialize;
use serde_json::json;

use super::recorder::Recorder;
use crate::support::{cause, namespace, raw_redis, redis_url, redstream, redstream_at};

#[test]
fn ids_are_compared_as_numbers() {
    let id = |text: &str| text.parse::<MessageId>().unwrap();
    assert!(id("5-9") < id("5-10"));
    assert!(id("9-0") < id("10-0"));
    assert!(id("18446744073709551614-18446744073709551615") < id("18446744073709551615-0"));
    assert_eq!(id("7"), MessageId::new(7, 0));
    assert_eq!(id("1526919030474-55").to_string(), "1526919030474-55");
}

#[test]
fn what_is_no_id_is_refused_by_name() {
    for text in [
        "",
        "-",
        "5-",
        "-5",
        "a-1",
        "1-b",
        "1-2-",
        "1-2-c",
        "1-2-3-4",
        "1-2-4294967296",
        "+1-2",
        "18446744073709551616-0",
        " 1-2",
    ] {
        let error: InvalidMessageId = text.parse::<MessageId>().unwrap_err();
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
}

#[derive(Serialize)]
struct Line {
    price: f64,
}

#[derive(Serialize)]
struct Order {
    id: i64,
    lines: Vec<Line>,
}

#[test]
fn a_number_that_json_cannot_say_is_refused_with_its_place() {
    let order = |price| Order { id: 1, lines: vec![Line { price: 1.5 }, Line { price }] };
    assert_eq!(Payload::encode(&order(2.0)).unwrap().as_str(), r#"{"id":1,"lines":[{"price":1.5},{"price":2.0}]}"#);
    let is_at = |error: PayloadError, place: &str| {
        assert!(matches!(&error, PayloadError::NotFinite { path, .. } if path == place), "{place}: {error:?}");
    };
    for price in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        is_at(Payload::encode(&order(price)).unwrap_err(), "lines[1].price");
    }
    assert!(Payload::check(&order(2.0)).is_ok());
    is_at(Payload::check(&order(f64::NAN)).unwrap_err(), "lines[1].price");
    let map = std::collections::BTreeMap::from([("rate", f32::NAN)]);
    is_at(Payload::encode(&map).unwrap_err(), "rate");
    assert!(matches!(Payload::encode(&f64::NAN), Err(PayloadError::NotFinite { .. })));
    is_at(Payload::encode(&Some((1, f64::NAN))).unwrap_err(), "[1]");
}

#[test]
fn a_map_without_text_for_keys_is_refused() {
    let map = std::collections::BTreeMap::from([(vec![1], 1)]);
    assert!(matches!(Payload::encode(&map), Err(PayloadError::Json(_))));
    assert!(matches!(Payload::check(&map), Err(PayloadError::Json(_))));
}

#[tokio::test]
async fn the_producer_names_the_stream_of_a_payload_it_refuses() {
    let redstream = redstream().await;
    let stream = redstream.stream("prices").unwrap();
    let error = redstream.producer().queue(stream.name(), &f64::NAN).await.unwrap_err();
    let Error::Encode { stream: named, source: PayloadError::NotFinite { value, .. } } = &error else {
        panic!("{error:?}");
    };
    assert!(named == stream.name() && value.is_nan(), "{error:?}");
    assert!(error.to_string().contains("prices"), "{error}");
    assert!(error.source().unwrap().to_string().contains("NaN"), "{error:?}");
    assert_eq!(stream.len().await.unwrap(), 0, "nothing was written");
}

#[test]
fn names_that_would_blur_keys_are_refused_with_the_reason() {
    for (name, reason) in [
        ("", "empty"),
        ("two words", "white space"),
        ("line\nbreak", "white space"),
        ("{tag}", "braces"),
        ("products.delay", ".delay"),
        ("products.dead.search", ".dead."),
    ] {
        let error: InvalidName = StreamName::new(name).unwrap_err();
        assert_eq!((error.what, error.name.as_str()), ("stream name", name));
        assert!(error.reason.contains(reason), "{name:?}: {error}");
    }
    assert!(StreamName::new("x".repeat(256)).is_err());
    assert_eq!(StreamName::new("shop:products-0").unwrap().as_str(), "shop:products-0");
}

#[tokio::test]
async fn consumer_names_and_namespaces_are_checked_too() {
    let products = redstream().await.stream("products").unwrap();
    for (name, reason) in [("", "empty"), ("a:b", "colon"), ("search.notify", ".notify"), ("a b", "white space")] {
        let error = products.consumer(name, Recorder::default()).run_once().await.unwrap_err();
        assert!(matches!(error, Error::InvalidName { what: "consumer name", .. }), "{error}");
        assert!(error.to_string().contains(reason), "{name:?}: {error}");
    }
    for namespace in ["", "a b"] {
        let options = ConnectOptions::new(redis_url()).namespace(namespace);
        let error = redstream_core::Redstream::connect(options).await.unwrap_err();
        assert!(matches!(error, Error::InvalidName { what: "namespace", .. }), "{error}");
    }
}

#[tokio::test]
async fn a_payload_that_does_not_decode_is_an_error_that_names_the_message() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    let key = format!("{namespace}:redstream:stream:products");
    for (id, field, value) in [("1-0", "payload", "{broken"), ("2-0", "other", "{}"), ("3-0", "payload", "[1]")] {
        let _: String = redis::cmd("XADD").arg(&key).arg(id).arg(field).arg(value).query_async(&mut raw).await.unwrap();
    }
    let seen = Recorder::default();
    products.consumer("search", seen.clone()).run_once().await.unwrap();

    let messages = seen.batches().remove(0);
    let error = |n: usize| messages[n].payload::<serde_json::Map<String, serde_json::Value>>().unwrap_err();
    let id = |nth| MessageId::new(nth, 0);
    assert!(matches!(error(0), DecodeError::Json { id: found, .. } if found == id(1)), "{:?}", error(0));
    assert!(matches!(error(1), DecodeError::Missing { id: found } if found == id(2)), "{:?}", error(1));
    assert!(matches!(error(2), DecodeError::Json { id: found, .. } if found == id(3)), "{:?}", error(2));
    for nth in 0..3 {
        assert!(error(nth).to_string().contains(&format!("message {}-0", nth + 1)), "{}", error(nth));
    }
    assert_eq!(messages[2].payload::<serde_json::Value>().unwrap(), json!([1]));
    assert_eq!((messages[0].raw(), messages[1].raw()), (&b"{broken"[..], &b""[..]));
}

#[tokio::test]
async fn a_handler_that_cannot_decode_keeps_its_batch_and_says_why() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    let key = format!("{namespace}:redstream:stream:products");
    let _: String =
        redis::cmd("XADD").arg(&key).arg("7-0").arg("payload").arg("{broken").query_async(&mut raw).await.unwrap();

    let consumer = products.consumer("search", async |batch: redstream_core::Batch| {
        for payload in batch.payloads::<serde_json::Value>() {
            payload?;
        }
        Ok(())
    });
    let error = consumer.run_once().await.unwrap_err();
    let Error::Handler { consumer, first, last, .. } = &error else { panic!("{error:?}") };
    let id = MessageId::new(7, 0);
    assert_eq!((consumer.as_str(), *first, *last), ("search", id, id));
    assert!(matches!(cause(&error), Some(DecodeError::Json { id: found, .. }) if *found == id), "{error:?}");
    assert_eq!(products.offsets().get("search").await.unwrap(), None);
}
