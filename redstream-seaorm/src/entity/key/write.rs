//! From a database value to its JSON.

use std::fmt::Write as _;

use redstream_core::{PayloadError, PayloadObject};
use sea_orm::sea_query::{OptionEnum, Value};

use super::error::{KeyError, feature_of};

/// Adds the field `column` to the object.
pub(super) fn write(object: &mut PayloadObject, column: &'static str, value: &Value) -> Result<(), KeyError> {
    write_named(object, column, column, value)
}

/// The value alone.
pub(super) fn write_value(column: &'static str, value: &Value) -> Result<String, KeyError> {
    let mut object = PayloadObject::default();
    write_named(&mut object, "", column, value)?;
    let payload = object.finish();
    Ok(payload.as_str()[r#"{"":"#.len()..payload.as_str().len() - "}".len()].to_owned())
}

/// Adds the field `name` to the object; errors name the column.
fn write_named(object: &mut PayloadObject, name: &str, column: &'static str, value: &Value) -> Result<(), KeyError> {
    let null = || KeyError::Null { column };
    let infinite = |error| not_finite(column, &error);
    match value {
        Value::Bool(value) => object.boolean(name, value.ok_or_else(null)?),
        Value::TinyInt(value) => object.integer(name, value.ok_or_else(null)?.into()),
        Value::SmallInt(value) => object.integer(name, value.ok_or_else(null)?.into()),
        Value::Int(value) => object.integer(name, value.ok_or_else(null)?.into()),
        Value::BigInt(value) => object.integer(name, value.ok_or_else(null)?),
        Value::TinyUnsigned(value) => object.unsigned(name, value.ok_or_else(null)?.into()),
        Value::SmallUnsigned(value) => object.unsigned(name, value.ok_or_else(null)?.into()),
        Value::Unsigned(value) => object.unsigned(name, value.ok_or_else(null)?.into()),
        Value::BigUnsigned(value) => object.unsigned(name, value.ok_or_else(null)?),
        Value::Float(value) => object.float(name, value.ok_or_else(null)?).map_err(infinite)?,
        Value::Double(value) => object.double(name, value.ok_or_else(null)?).map_err(infinite)?,
        Value::String(value) => object.string(name, value.as_ref().ok_or_else(null)?),
        Value::Enum(OptionEnum::Some(value)) => object.string(name, &value.value),
        _ => object.string(name, &text(column, value)?),
    };
    Ok(())
}

/// Values that are a string in JSON, but not in Rust.
fn text(column: &'static str, value: &Value) -> Result<String, KeyError> {
    let null = || KeyError::Null { column };
    Ok(match value {
        Value::Enum(OptionEnum::None(_)) => return Err(null()),
        Value::Char(value) => value.ok_or_else(null)?.to_string(),
        Value::Bytes(value) => hexadecimal(value.as_ref().ok_or_else(null)?),
        #[cfg(feature = "with-chrono")]
        Value::ChronoDate(value) => super::chrono::write_date(value.ok_or_else(null)?),
        #[cfg(feature = "with-chrono")]
        Value::ChronoTime(value) => super::chrono::write_time(value.ok_or_else(null)?),
        #[cfg(feature = "with-chrono")]
        Value::ChronoDateTime(value) => super::chrono::write_date_time(value.ok_or_else(null)?),
        #[cfg(feature = "with-chrono")]
        Value::ChronoDateTimeUtc(value) => super::chrono::write_utc(value.ok_or_else(null)?.naive_utc()),
        #[cfg(feature = "with-chrono")]
        Value::ChronoDateTimeLocal(value) => super::chrono::write_utc(value.ok_or_else(null)?.naive_utc()),
        #[cfg(feature = "with-chrono")]
        Value::ChronoDateTimeWithTimeZone(value) => super::chrono::write_utc(value.ok_or_else(null)?.naive_utc()),
        #[cfg(feature = "with-time")]
        Value::TimeDate(value) => super::time::write_date(value.ok_or_else(null)?),
        #[cfg(feature = "with-time")]
        Value::TimeTime(value) => super::time::write_time(value.ok_or_else(null)?),
        #[cfg(feature = "with-time")]
        Value::TimeDateTime(value) => super::time::write_date_time(value.ok_or_else(null)?),
        #[cfg(feature = "with-time")]
        Value::TimeDateTimeWithTimeZone(value) => {
            super::time::write_utc(value.ok_or_else(null)?).ok_or(KeyError::OutOfRange { column })?
        }
        #[cfg(feature = "with-uuid")]
        Value::Uuid(value) => value.ok_or_else(null)?.hyphenated().to_string(),
        #[cfg(feature = "with-rust_decimal")]
        Value::Decimal(value) => {
            let value = value.ok_or_else(null)?;
            super::decimal::write(
                value.is_sign_negative(),
                &value.mantissa().unsigned_abs().to_string(),
                value.scale().into(),
            )
        }
        #[cfg(feature = "with-bigdecimal")]
        Value::BigDecimal(value) => {
            let (digits, scale) = value.as_ref().ok_or_else(null)?.as_bigint_and_exponent();
            let digits = digits.to_string();
            super::decimal::write(digits.starts_with('-'), digits.trim_start_matches('-'), scale)
        }
        #[cfg(feature = "with-ipnetwork")]
        Value::IpNetwork(value) => value.ok_or_else(null)?.to_string(),
        #[cfg(feature = "with-mac_address")]
        Value::MacAddress(value) => value.ok_or_else(null)?.to_string().to_ascii_lowercase(),
        _ => return Err(refused(column, value)),
    })
}

/// A variant that this crate was not built with, or that is no key.
fn refused(column: &'static str, value: &Value) -> KeyError {
    let mut kind = format!("{value:?}");
    kind.truncate(kind.find('(').unwrap_or(kind.len()));
    match feature_of(&kind) {
        Some(feature) => KeyError::MissingFeature { column, kind, feature },
        None => KeyError::Unsupported { column, kind },
    }
}

fn not_finite(column: &'static str, error: &PayloadError) -> KeyError {
    let value = if let PayloadError::NotFinite { value, .. } = error { *value } else { f64::NAN };
    KeyError::NotFinite { column, value }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        _ = write!(text, "{byte:02x}");
    }
    text
}
