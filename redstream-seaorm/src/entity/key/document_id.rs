//! Keys as ids of documents.

use sea_orm::sea_query::{OptionEnum, Value};

use super::error::KeyError;
use super::write::write_value;

/// The plain value. Only texts have characters that JSON escapes; all other values are their JSON without its quotes.
pub(super) fn of_one(column: &'static str, value: &Value) -> Result<String, KeyError> {
    Ok(match value {
        Value::String(Some(value)) => value.clone(),
        Value::Enum(OptionEnum::Some(value)) => value.value.clone().into_owned(),
        Value::Char(Some(value)) => value.to_string(),
        _ => write_value(column, value)?.trim_matches('"').to_owned(),
    })
}

/// A JSON array, in the order given.
pub(super) fn of_several<'v>(values: impl Iterator<Item = (&'static str, &'v Value)>) -> Result<String, KeyError> {
    let mut id = String::with_capacity(32);
    id.push('[');
    for (column, value) in values {
        if id.len() > 1 {
            id.push(',');
        }
        id.push_str(&write_value(column, value)?);
    }
    id.push(']');
    Ok(id)
}
