//! Keys that ask for a generated one.

use sea_orm::sea_query::{Value, ValueTuple};

/// Whether the key is one column, with the number zero.
pub(crate) fn is_zero(key: &ValueTuple) -> bool {
    let ValueTuple::One(value) = key else { return false };
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
