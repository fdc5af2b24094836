//! JSON objects in one fixed text form, independent of the features of `serde_json`.

use std::fmt::Write as _;

use super::float::write_float;
use super::{Payload, PayloadError};

/// The largest integer up to which JavaScript, and every other reader of JSON numbers as 64-bit floats, represents all
/// integers exactly.
const LARGEST_EXACT: u64 = (1 << 53) - 1;

/// Writes a [`Payload`] that is one JSON object, field by field.
///
/// One value has one text: compact, with the fields in the order in which they are written. The text does not depend on
/// which features of `serde_json` or of any other crate are enabled, and other languages read it without loss.
///
/// ```
/// # use redstream_core::PayloadObject;
/// # fn main() -> Result<(), redstream_core::PayloadError> {
/// let mut object = PayloadObject::default();
/// object.integer("line", 2).integer("order", i64::MAX).string("unit", "m²").double("weight", 1.5)?;
/// assert_eq!(object.finish().as_str(), r#"{"line":2,"order":"9223372036854775807","unit":"m²","weight":1.5}"#);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct PayloadObject {
    text: String,
}

impl Default for PayloadObject {
    fn default() -> Self {
        let mut text = String::with_capacity(32);
        text.push('{');
        Self { text }
    }
}

impl PayloadObject {
    /// `true` or `false`.
    pub fn boolean(&mut self, name: &str, value: bool) -> &mut Self {
        self.name(name);
        self.text.push_str(if value { "true" } else { "false" });
        self
    }

    /// A number; beyond ±(2⁵³ − 1) a string of digits, because JavaScript rounds larger numbers.
    pub fn integer(&mut self, name: &str, value: i64) -> &mut Self {
        self.digits(name, itoa::Buffer::new().format(value), value.unsigned_abs() > LARGEST_EXACT)
    }

    /// As [`integer`](Self::integer).
    pub fn unsigned(&mut self, name: &str, value: u64) -> &mut Self {
        self.digits(name, itoa::Buffer::new().format(value), value > LARGEST_EXACT)
    }

    /// A number: the shortest digits that read back as this float. −0 is written as 0.
    ///
    /// # Errors
    ///
    /// If it is not finite.
    pub fn float(&mut self, name: &str, value: f32) -> Result<&mut Self, PayloadError> {
        finite(name, value.into())?;
        self.name(name);
        write_float(&mut self.text, value);
        Ok(self)
    }

    /// As [`float`](Self::float).
    ///
    /// # Errors
    ///
    /// As [`float`](Self::float).
    pub fn double(&mut self, name: &str, value: f64) -> Result<&mut Self, PayloadError> {
        finite(name, value)?;
        self.name(name);
        write_float(&mut self.text, value);
        Ok(self)
    }

    /// A string.
    pub fn string(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        write_string(&mut self.text, value);
        self
    }

    /// The payload. The object is empty then, and takes the fields of another one without allocating again.
    pub fn finish(&mut self) -> Payload {
        self.finish_with(|text| Payload::line(text.into()))
    }

    pub(super) fn finish_with<R>(&mut self, take: impl FnOnce(&str) -> R) -> R {
        self.text.push('}');
        let taken = take(&self.text);
        self.text.truncate(1);
        taken
    }

    fn digits(&mut self, name: &str, digits: &str, quoted: bool) -> &mut Self {
        self.name(name);
        if quoted {
            self.text.push('"');
        }
        self.text.push_str(digits);
        if quoted {
            self.text.push('"');
        }
        self
    }

    fn name(&mut self, name: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        write_string(&mut self.text, name);
        self.text.push(':');
    }
}

fn finite(name: &str, value: f64) -> Result<(), PayloadError> {
    if value.is_finite() { Ok(()) } else { Err(PayloadError::NotFinite { path: name.to_owned(), value }) }
}

/// Escapes what JSON requires to be escaped, and nothing else.
pub(super) fn write_string(text: &mut String, value: &str) {
    text.push('"');
    let mut written = 0;
    for (at, byte) in value.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..0x20 => "",
            _ => continue,
        };
        // These bytes are never part of a longer character.
        text.push_str(&value[written..at]);
        if escape.is_empty() {
            _ = write!(text, "\\u{byte:04x}");
        } else {
            text.push_str(escape);
        }
        written = at + 1;
    }
    text.push_str(&value[written..]);
    text.push('"');
}
