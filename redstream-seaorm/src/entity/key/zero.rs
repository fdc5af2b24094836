//! Keys that the database replaces by a generated key.

use sea_orm::sea_query::{Value, ValueTuple};

/// Whether the key is one column, with the number zero.
pub(crate) fn is_zero(key: &ValueTuple) -> bool {
    matches!(key, ValueTuple::One(value) if is_zero_value(value))
}

/// Whether a column of the key has the number zero.
pub(crate) fn has_zero(key: &ValueTuple) -> bool {
    match key {
        ValueTuple::One(value) => is_zero_value(value),
        ValueTuple::Two(first, second) => is_zero_value(first) || is_zero_value(second),
        ValueTuple::Three(first, second, third) => [first, second, third].into_iter().any(is_zero_value),
        ValueTuple::Many(values) => values.iter().any(is_zero_value),
    }
}

fn is_zero_value(value: &Value) -> bool {
    match value {
        Value::TinyInt(value) => *value == Some(0),
        Value::SmallInt(value) => *value == Some(0),
        Value::Int(value) => *value == Some(0),
        Value::BigInt(value) => *value == Some(0),
        Value::TinyUnsigned(value) => *value == Some(0),
        Value::SmallUnsigned(value) => *value == Some(0),
        Value::Unsigned(value) => *value == Some(0),
        Value::BigUnsigned(value) => *value == Some(0),
        Value::Float(value) => *value == Some(0.0),
        Value::Double(value) => *value == Some(0.0),
        _ => false,
    }
}
