//! Whether two JSON values mean the same.

use serde_json::{Number, Value as Json};

/// Numbers by value, and a field that is null as one that is missing.
pub(crate) fn is_same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => is_same_number(one, other),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.iter().all(|(name, value)| is_same(value, other.get(name).unwrap_or(&Json::Null)))
                && other.iter().all(|(name, value)| value.is_null() || one.contains_key(name))
        }
        _ => one == other,
    }
}

fn is_same_number(one: &Number, other: &Number) -> bool {
    match (integer(one), integer(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.as_f64() == other.as_f64(),
        // A whole number that is written as a float, such as 1.0.
        #[expect(clippy::cast_precision_loss, reason = "a float is compared")]
        (Some(integer), None) => other.as_f64() == Some(integer as f64),
        #[expect(clippy::cast_precision_loss, reason = "a float is compared")]
        (None, Some(integer)) => one.as_f64() == Some(integer as f64),
    }
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or(number.as_u64().map(i128::from))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(is_same(&json!(1), &json!(1.0)) && is_same(&json!(-0.0), &json!(0)));
        assert!(is_same(&json!(u64::MAX), &json!(u64::MAX)));
        assert!(!is_same(&json!(i64::MAX), &json!(i64::MAX - 1)));
        assert!(!is_same(&json!(0.1), &json!(0.2)) && !is_same(&json!(1), &json!("1")));
    }

    #[test]
    fn a_null_is_as_good_as_no_field() {
        assert!(is_same(&json!({ "a": 1, "b": null }), &json!({ "a": 1 })));
        assert!(is_same(&json!({ "a": 1 }), &json!({ "b": null, "a": 1 })));
        assert!(!is_same(&json!({ "a": 1 }), &json!({ "a": 1, "b": 2 })));
        assert!(!is_same(&json!({ "a": 1, "b": 2 }), &json!({ "a": 1 })));
    }

    #[test]
    fn lists_have_an_order() {
        assert!(is_same(&json!([1, { "a": 2.0 }]), &json!([1.0, { "a": 2 }])));
        assert!(!is_same(&json!([1, 2]), &json!([2, 1])) && !is_same(&json!([1]), &json!([1, null])));
    }
}
