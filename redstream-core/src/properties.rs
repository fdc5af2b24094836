//! Properties that hold for any input: ids, keys, names, payloads, shards, pauses, batch sizes, and all parsers of
//! bytes from Redis.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::fuzzing;
use crate::keys::Keys;
use crate::message::name::check_consumer;
use crate::message::{MessageId, Payload, StreamName};
use crate::sharding::ShardMap;
use crate::time::backoff::Pauses;
use crate::transport::replies::Range;
use crate::worker::Start;

fn ids() -> impl Strategy<Value = MessageId> {
    // Also few different numbers, so that parts are often equal.
    let part = || prop_oneof![any::<u64>(), 0..12_u64, Just(u64::MAX)];
    (part(), part(), prop::option::of(0..3_u32)).prop_map(|(ms, seq, index)| {
        let entry = MessageId::new(ms, seq);
        index.map_or(entry, |index| entry.inside(index))
    })
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("JSON has no word for it", |n| n.is_finite().then(|| Value::from(n))),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let object = prop::collection::vec((any::<String>(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::from),
            object.prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Usable and unusable names.
fn hostile_names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        any::<String>(),
        "[a-z:.{}\\-]{0,12}",
        "[a-z]{0,3}(\\.delay|\\.dead\\.|\\.notify|:|\r\n|\\{|\\}| |\0)[a-z]{0,3}",
        "[a-z]{250,260}",
    ]
}

proptest! {
    #[test]
    fn an_id_is_read_as_it_was_written(id in ids()) {
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn ids_are_ordered_as_numbers_and_the_last_of_an_entry_comes_last(a in ids(), b in ids()) {
        let numbers = |id: MessageId| (id.ms, id.seq, id.index().map_or(u64::MAX, u64::from));
        prop_assert_eq!(a.cmp(&b), numbers(a).cmp(&numbers(b)));
    }

    #[test]
    fn an_offset_passes_an_entry_with_its_last_message(id in ids()) {
        // Redis refuses the id `0-0`, so no entry has it.
        prop_assume!(id.entry() != MessageId::MIN);
        let offset = id.offset();
        prop_assert_eq!(offset.index(), None);
        prop_assert_eq!(offset == id, id.index().is_none());
        prop_assert!(offset <= id && (offset < id.entry() || id.index().is_none()));
    }

    #[test]
    fn what_is_no_id_is_refused(text in any::<String>()) {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if text.parse::<MessageId>().is_ok() {
            prop_assert!(text.split('-').count() <= 3 && text.split('-').all(digits));
        }
    }

    #[test]
    fn a_start_at_a_time_is_right_before_its_first_message(ms in 0..u64::MAX / 2) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        let start: MessageId = Start::At(time).word().parse().unwrap();
        prop_assert!(start < MessageId::new(ms, 0) || ms == 0);
        prop_assert!(start >= MessageId::new(ms.saturating_sub(1), 0));
    }

    #[test]
    fn a_payload_comes_back_as_it_was_written(value in json_values()) {
        let payload = Payload::encode(&value).unwrap();
        let entry = redis::Value::Array(vec![
            redis::Value::BulkString(b"1-0".to_vec()),
            redis::Value::Array(vec![
                redis::Value::BulkString(b"payload".to_vec()),
                redis::Value::BulkString(payload.as_str().as_bytes().to_vec()),
            ]),
        ]);
        let Range(messages) = redis::from_redis_value(redis::Value::Array(vec![entry])).unwrap();
        // How JSON itself changes a number is not tested here, so both sides are written and parsed once.
        let expected: Value = serde_json::from_str(&value.to_string()).unwrap();
        let message = messages.into_iter().flatten().next().unwrap();
        prop_assert_eq!(message.payload::<Value>().unwrap(), expected);
        prop_assert_eq!(Payload::from_json(payload.as_str()).unwrap(), payload);
    }

    #[test]
    fn a_number_that_json_cannot_say_is_refused_wherever_it_is(bad in prop_oneof![
        Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)
    ], before in 0..5_usize, depth in 0..4_usize) {
        let mut row = vec![0.0; before];
        row.push(bad);
        let nested = (0..depth).fold(json!(null), |inner, _| json!([inner]));
        prop_assert!(Payload::encode(&(nested, row)).is_err());
    }

    #[test]
    fn a_payload_has_one_shard_that_is_there(value in json_values(), count in 1..100_u32) {
        let map = ShardMap::new("products", count).unwrap();
        let payload = Payload::encode(&value).unwrap();
        let name = map.name_for(&payload);
        prop_assert_eq!(map.shard_of(&payload), ShardMap::new("products", count).unwrap().shard_of(&payload));
        prop_assert!(map.names().any(|shard| shard == name));
    }

    #[test]
    fn a_name_is_refused_or_makes_keys_that_say_it_and_no_other(stream in hostile_names(), consumer in hostile_names()) {
        let Ok(stream) = StreamName::new(&stream) else { return Ok(()) };
        prop_assume!(check_consumer(&consumer).is_ok());
        for keys in [Keys::new(None, false), Keys::new(Some("shop"), true)] {
            let all = [
                keys.stream(&stream),
                keys.delay_stream(&stream),
                keys.dead_letters(&stream, &consumer),
                keys.offset(&stream, &consumer),
                keys.version(&stream, &consumer),
                keys.registry(&stream),
                keys.consumer_lock(&stream, &consumer),
                keys.trimmer_lock(&stream),
                Keys::notify(&keys.consumer_lock(&stream, &consumer)),
                Keys::notify(&keys.trimmer_lock(&stream)),
                keys.consumer_hosts(&stream, &consumer),
                keys.trimmer_hosts(&stream),
            ];
            prop_assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
            for key in &all {
                prop_assert!(key.contains(stream.as_str()));
                prop_assert!(!key.chars().any(|c| c.is_whitespace() || c.is_control()));
            }
            // `trim.lua` recognizes by its suffix that an offset's key belongs to its name.
            let end = format!(":{consumer}");
            prop_assert!(keys.offset(&stream, &consumer).ends_with(&end));
        }
    }

    #[test]
    fn different_pairs_of_names_have_different_offsets(
        a in hostile_names(), b in hostile_names(), x in hostile_names(), y in hostile_names()
    ) {
        let (Ok(a), Ok(b)) = (StreamName::new(&a), StreamName::new(&b)) else { return Ok(()) };
        prop_assume!(check_consumer(&x).is_ok() && check_consumer(&y).is_ok());
        let keys = Keys::new(None, false);
        prop_assert_eq!(keys.offset(&a, &x) == keys.offset(&b, &y), (&a, &x) == (&b, &y));
    }

    #[test]
    fn pauses_stay_between_their_bounds(min in 1..500_u64, more in 0..5000_u64, count in 1..40_usize) {
        let (min, max) = (Duration::from_millis(min), Duration::from_millis(min + more));
        let mut pauses = Pauses::new(min, max);
        for _ in 0..count {
            let pause = pauses.pause();
            prop_assert!(min <= pause && pause <= max * 2, "{pause:?}");
        }
        pauses.reset();
        prop_assert!(pauses.pause() <= min * 2);
    }

    #[test]
    fn bytes_from_redis_are_values_or_errors(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::id(&bytes);
        fuzzing::reply(&bytes);
        fuzzing::info(&bytes);
        fuzzing::note(&bytes);
    }

    #[test]
    fn replies_of_any_shape_are_values_or_errors(reply in replies()) {
        fuzzing::reply(&reply);
    }
}

/// Inputs that fuzzing found to increase coverage, as stored by `fuzz/run.py`.
#[test]
fn kept_inputs_of_fuzzing_are_values_or_errors() {
    for (target, body) in
        [("id", fuzzing::id as fn(&[u8])), ("reply", fuzzing::reply), ("info", fuzzing::info), ("note", fuzzing::note)]
    {
        let kept = format!("{}/../fuzz/corpus/{target}.hex", env!("CARGO_MANIFEST_DIR"));
        let kept = std::fs::read_to_string(&kept).unwrap_or_else(|error| panic!("{kept}: {error}"));
        assert!(kept.lines().count() > 10, "{target}");
        for line in kept.lines() {
            let bytes = (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16));
            body(&bytes.collect::<Result<Vec<_>, _>>().unwrap());
        }
    }
}

/// Replies of a server: well-formed, of any shape, with words that the parsers look for.
fn replies() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"payload".to_vec()),
        Just(b"payloads".to_vec()),
        Just(b"1\n2".to_vec()),
        Just(b"consumer".to_vec()),
        Just(b"message_id".to_vec()),
        Just(b"error".to_vec()),
        Just(b"attempts".to_vec()),
        Just(b"1-1".to_vec()),
        Just(b"99999999999999999999-1".to_vec()),
        Just(b"{\"id\":1}".to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ];
    let bulk = word.prop_map(|word| [format!("${}\r\n", word.len()).into_bytes(), word, b"\r\n".to_vec()].concat());
    let leaf = prop_oneof![
        4 => bulk,
        1 => any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
        1 => Just(b"$-1\r\n".to_vec()),
        1 => Just(b"*-1\r\n".to_vec()),
        1 => Just(b"-ERR no\r\n".to_vec()),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop::collection::vec(inner, 0..6).prop_map(|parts| {
            let head = format!("*{}\r\n", parts.len()).into_bytes();
            std::iter::once(head).chain(parts).flatten().collect()
        })
    })
}
