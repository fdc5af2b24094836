//! Ids of documents: readable, and different for different keys.

use proptest::prelude::*;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Enum, OptionEnum, Value};

use super::properties::{alike, values};
use super::read;
use crate::entity::key::KeyError;
use crate::entity::key::document_id::{of_one, of_several};

fn several(values: &[Value]) -> String {
    of_several(values.iter().map(|value| ("k", value))).unwrap()
}

/// The value of the same kind as `value` with this id, which shows that no other value has it.
fn read_one(id: &str, value: &Value) -> Option<Value> {
    let is_number = matches!(
        value,
        Value::Bool(_)
            | Value::TinyInt(_)
            | Value::SmallInt(_)
            | Value::Int(_)
            | Value::BigInt(_)
            | Value::TinyUnsigned(_)
            | Value::SmallUnsigned(_)
            | Value::Unsigned(_)
            | Value::BigUnsigned(_)
            | Value::Float(_)
            | Value::Double(_)
    );
    if is_number { read(id, value) } else { read(&serde_json::to_string(id).unwrap(), value) }
}

fn read_several(id: &str, values: &[Value]) -> Option<Vec<Value>> {
    let parts: Vec<serde_json::Value> = serde_json::from_str(id).expect("a JSON array");
    assert_eq!(parts.len(), values.len(), "{id}");
    parts.iter().zip(values).map(|(part, value)| read(&part.to_string(), value)).collect()
}

#[test]
fn a_key_of_one_column_is_its_plain_value() {
    for (value, expected) in [
        (7_i32.into(), "7"),
        (i64::MIN.into(), "-9223372036854775808"),
        (u64::MAX.into(), "18446744073709551615"),
        (true.into(), "true"),
        (1.5_f64.into(), "1.5"),
        ("ulm".into(), "ulm"),
        ("\"a\\b\"".into(), "\"a\\b\""),
        ("".into(), ""),
        ('"'.into(), "\""),
        (vec![0_u8, 255].into(), "00ff"),
        (Uuid::from_u128(1).into(), "00000000-0000-0000-0000-000000000001"),
        (
            Value::Enum(OptionEnum::Some(Box::new(Enum { type_name: "".into(), value: "on \"sale\"".into() }))),
            "on \"sale\"",
        ),
    ] {
        assert_eq!(of_one("k", &value).unwrap(), expected, "{value:?}");
    }
}

#[test]
fn a_key_of_several_columns_is_a_json_array_in_their_order() {
    assert_eq!(several(&[2_i64.into(), "a\"b,".into()]), r#"[2,"a\"b,"]"#);
    assert_eq!(several(&["b".into(), i64::MAX.into()]), r#"["b","9223372036854775807"]"#);
}

#[test]
fn a_key_without_a_form_has_no_id() {
    assert!(matches!(of_one("k", &f64::NAN.into()), Err(KeyError::NotFinite { column: "k", .. })));
    assert!(matches!(of_one("k", &Value::String(None)), Err(KeyError::Null { column: "k" })));
    let values: [Value; 2] = [1.into(), f64::NAN.into()];
    assert!(of_several(values.iter().map(|value| ("k", value))).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn every_kind_of_value_is_found_again_from_its_id(value in values()) {
        let id = of_one("k", &value).unwrap();
        prop_assert_eq!(read_one(&id, &value), Some(value), "{}", id);
    }

    #[test]
    fn several_values_are_found_again_from_their_id(values in prop::collection::vec(values(), 2..5)) {
        let id = several(&values);
        prop_assert_eq!(read_several(&id, &values), Some(values.clone()), "{}", id);
    }

    #[test]
    fn equal_keys_and_no_others_have_one_id((one, other) in alike(), second in values()) {
        prop_assert_eq!(of_one("k", &one).unwrap() == of_one("k", &other).unwrap(), one == other);
        let (first, last) = (several(&[one.clone(), second.clone()]), several(&[other.clone(), second]));
        prop_assert_eq!(first == last, one == other);
    }

    #[test]
    fn texts_do_not_run_into_each_other(a in r#"[a",\\\[\]]{0,3}"#, b in r#"[a",\\\[\]]{0,3}"#, c in r#"[a",\\\[\]]{0,3}"#, d in r#"[a",\\\[\]]{0,3}"#) {
        let (one, other) = (several(&[a.clone().into(), b.clone().into()]), several(&[c.clone().into(), d.clone().into()]));
        prop_assert_eq!(one == other, (a, b) == (c, d));
    }
}
