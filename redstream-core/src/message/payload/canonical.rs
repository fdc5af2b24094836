//! Any JSON value in one fixed text form.

use serde_json::{Number, Value};

use super::float::write_float;
use super::object::write_string;
use super::{Payload, PayloadError};

impl Payload {
    /// Writes a JSON value in a fixed form: compact, the fields of each object sorted by name, strings and numbers
    /// written by this crate. So the bytes do not depend on the features `preserve_order` and `arbitrary_precision` of
    /// `serde_json`, which any crate of a program can enable.
    ///
    /// Integers are written with all their digits; any other number as a 64-bit float, in the shortest digits that read
    /// back as the same. Convert a 32-bit float to 64 bits before it becomes a [`Value`]: `serde_json` alone does that
    /// with some features and not with others.
    ///
    /// # Errors
    ///
    /// If a number is beyond the range of 64-bit floats, which is only possible with `arbitrary_precision`.
    pub fn canonical(value: &Value) -> Result<Self, PayloadError> {
        let mut text = String::with_capacity(32);
        write(&mut text, value)?;
        Ok(Self::line(text.into()))
    }
}

fn write(text: &mut String, value: &Value) -> Result<(), PayloadError> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => write_number(text, number)?,
        Value::String(value) => write_string(text, value),
        Value::Array(elements) => {
            text.push('[');
            for (nth, element) in elements.iter().enumerate() {
                if nth > 0 {
                    text.push(',');
                }
                write(text, element)?;
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (nth, (name, value)) in fields.into_iter().enumerate() {
                if nth > 0 {
                    text.push(',');
                }
                write_string(text, name);
                text.push(':');
                write(text, value)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

fn write_number(text: &mut String, number: &Number) -> Result<(), PayloadError> {
    let mut digits = itoa::Buffer::new();
    if let Some(integer) = number.as_i64() {
        text.push_str(digits.format(integer));
    } else if let Some(integer) = number.as_u64() {
        text.push_str(digits.format(integer));
    } else {
        let beyond = || PayloadError::NotFinite { path: number.to_string(), value: f64::INFINITY };
        write_float(text, number.as_f64().filter(|value| value.is_finite()).ok_or_else(beyond)?);
    }
    Ok(())
}
