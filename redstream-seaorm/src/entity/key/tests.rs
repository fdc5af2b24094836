//! Pins the form of each kind of key, and properties of any value.

mod document_ids;
mod golden;
mod properties;

use redstream_core::PayloadObject;
use sea_orm::sea_query::Value;

use super::KeyError;
use super::kind::KINDS;
use super::write::write;

/// The JSON of a value.
fn text(value: &Value) -> Result<String, KeyError> {
    let mut object = PayloadObject::default();
    write(&mut object, "k", value)?;
    let payload = object.finish();
    let json = payload.as_str().strip_prefix(r#"{"k":"#).and_then(|rest| rest.strip_suffix('}'));
    Ok(json.expect("an object of one field").to_owned())
}

/// The value of this JSON that is of the same kind as `value`.
fn read(json: &str, value: &Value) -> Option<Value> {
    let json = serde_json::from_str(json).expect("JSON");
    let same_kind = |found: &Value| std::mem::discriminant(found) == std::mem::discriminant(value);
    KINDS.iter().filter_map(|kind| (kind.read)(&json)).find(same_kind)
}
