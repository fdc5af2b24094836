//! From JSON to a database value, for each kind of value.

use sea_orm::sea_query::{Enum, OptionEnum, Value};
use serde_json::Value as Json;

/// A variant of SeaORM's `Value`, and how it is read from JSON.
pub(super) struct Kind {
    /// For errors: the expected form.
    pub(super) title: &'static str,
    /// A value of the kind, as JSON text.
    pub(super) sample: &'static str,
    /// `None` if the JSON is not of the kind, or out of its range.
    pub(super) read: fn(&Json) -> Option<Value>,
}

/// All kinds of keys that this crate was built with.
pub(super) const KINDS: &[Kind] = &[
    Kind { title: "an integer of 64 bits", sample: "0", read: |json| integer(json).map(Value::from) },
    Kind { title: "an integer of 32 bits", sample: "0", read: |json| small::<i32>(json).map(Value::from) },
    Kind { title: "a string", sample: "\"\"", read: |json| json.as_str().map(Value::from) },
    #[cfg(feature = "with-uuid")]
    Kind {
        title: "a UUID",
        sample: "\"00000000-0000-0000-0000-000000000000\"",
        read: |json| json.as_str()?.parse::<sea_orm::prelude::Uuid>().ok().map(Value::from),
    },
    Kind { title: "an unsigned integer of 64 bits", sample: "0", read: |json| unsigned(json).map(Value::from) },
    Kind { title: "an unsigned integer of 32 bits", sample: "0", read: |json| small::<u32>(json).map(Value::from) },
    Kind { title: "an integer of 16 bits", sample: "0", read: |json| small::<i16>(json).map(Value::from) },
    Kind { title: "an unsigned integer of 16 bits", sample: "0", read: |json| small::<u16>(json).map(Value::from) },
    Kind { title: "an integer of 8 bits", sample: "0", read: |json| small::<i8>(json).map(Value::from) },
    Kind { title: "an unsigned integer of 8 bits", sample: "0", read: |json| small::<u8>(json).map(Value::from) },
    Kind { title: "a truth value", sample: "true", read: |json| json.as_bool().map(Value::from) },
    Kind { title: "a float of 64 bits", sample: "0.5", read: |json| finite::<f64>(json).map(Value::from) },
    Kind { title: "a float of 32 bits", sample: "0.5", read: |json| finite::<f32>(json).map(Value::from) },
    Kind { title: "bytes in hexadecimal digits", sample: "\"\"", read: |json| bytes(json.as_str()?).map(Value::from) },
    Kind { title: "a character", sample: "\"a\"", read: |json| character(json.as_str()?).map(Value::from) },
    // The entity adds the name of its type.
    Kind { title: "an enum's value", sample: "\"\"", read: |json| json.as_str().map(enumerated) },
    #[cfg(feature = "with-chrono")]
    Kind {
        title: "a date",
        sample: "\"2026-02-01\"",
        read: |json| super::chrono::read_date(json.as_str()?).map(Value::from),
    },
    #[cfg(feature = "with-chrono")]
    Kind {
        title: "a time of day",
        sample: "\"12:34:56\"",
        read: |json| super::chrono::read_time(json.as_str()?).map(Value::from),
    },
    #[cfg(feature = "with-chrono")]
    Kind {
        title: "a date and time without time zone",
        sample: "\"2026-02-01T12:34:56\"",
        read: |json| super::chrono::read_date_time(json.as_str()?).map(Value::from),
    },
    #[cfg(feature = "with-chrono")]
    Kind {
        title: "a date and time in UTC",
        sample: "\"2026-02-01T12:34:56Z\"",
        read: |json| super::chrono::read_utc(json.as_str()?).map(Value::from),
    },
    #[cfg(feature = "with-chrono")]
    Kind {
        title: "a date and time in UTC",
        sample: "\"2026-02-01T12:34:56Z\"",
        read: |json| {
            let utc = super::chrono::read_utc(json.as_str()?)?;
            Some(sea_orm::prelude::ChronoDateTimeWithTimeZone::from(utc).into())
        },
    },
    #[cfg(feature = "with-chrono")]
    Kind {
        title: "a date and time in UTC",
        sample: "\"2026-02-01T12:34:56Z\"",
        read: |json| {
            let utc = super::chrono::read_utc(json.as_str()?)?;
            Some(sea_orm::prelude::ChronoDateTimeLocal::from(utc).into())
        },
    },
    #[cfg(feature = "with-time")]
    Kind {
        title: "a date",
        sample: "\"2026-02-01\"",
        read: |json| super::time::read_date(json.as_str()?).map(Value::from),
    },
    #[cfg(feature = "with-time")]
    Kind {
        title: "a time of day",
        sample: "\"12:34:56\"",
        read: |json| super::time::read_time(json.as_str()?).map(Value::from),
    },
    #[cfg(feature = "with-time")]
    Kind {
        title: "a date and time without time zone",
        sample: "\"2026-02-01T12:34:56\"",
        read: |json| super::time::read_date_time(json.as_str()?).map(Value::from),
    },
    #[cfg(feature = "with-time")]
    Kind {
        title: "a date and time in UTC",
        sample: "\"2026-02-01T12:34:56Z\"",
        read: |json| super::time::read_utc(json.as_str()?).map(Value::from),
    },
    #[cfg(feature = "with-rust_decimal")]
    Kind {
        title: "a decimal number in a string",
        sample: "\"0\"",
        read: |json| sea_orm::prelude::Decimal::from_str_exact(&decimal(json)?).ok().map(Value::from),
    },
    #[cfg(feature = "with-bigdecimal")]
    Kind {
        title: "a decimal number in a string",
        sample: "\"0\"",
        read: |json| decimal(json)?.parse::<sea_orm::prelude::BigDecimal>().ok().map(Value::from),
    },
    #[cfg(feature = "with-ipnetwork")]
    Kind {
        title: "an IP network",
        sample: "\"10.0.0.0/8\"",
        read: |json| json.as_str()?.parse::<sea_orm::prelude::IpNetwork>().ok().map(Value::from),
    },
    #[cfg(feature = "with-mac_address")]
    Kind {
        title: "a MAC address",
        sample: "\"00:00:00:00:00:00\"",
        read: |json| {
            use sea_orm::sea_query::value::prelude::MacAddress;
            json.as_str()?.parse::<MacAddress>().ok().map(Value::from)
        },
    },
];

fn integer(json: &Json) -> Option<i64> {
    json.as_i64().or_else(|| json.as_str().filter(|text| is_integer(text))?.parse().ok())
}

fn unsigned(json: &Json) -> Option<u64> {
    json.as_u64().or_else(|| json.as_str().filter(|text| is_integer(text))?.parse().ok())
}

fn small<N: TryFrom<i64>>(json: &Json) -> Option<N> {
    integer(json)?.try_into().ok()
}

/// In the form that is written: no plus sign.
fn is_integer(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// From the digits, not from a float of 64 bits: rounding twice can give another float of 32 bits.
fn finite<F: std::str::FromStr + Into<f64> + Copy>(json: &Json) -> Option<F> {
    let number = json.as_number()?.to_string().parse::<F>().ok()?;
    number.into().is_finite().then_some(number)
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

fn character(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

fn enumerated(value: &str) -> Value {
    let value = Enum { type_name: "".into(), value: value.to_owned().into() };
    Value::Enum(OptionEnum::Some(Box::new(value)))
}

/// A number with a fraction is refused: a parser may have rounded it.
#[cfg(any(feature = "with-rust_decimal", feature = "with-bigdecimal"))]
fn decimal(json: &Json) -> Option<std::borrow::Cow<'_, str>> {
    match json {
        Json::String(text) => Some(text.into()),
        Json::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string().into()),
        _ => None,
    }
}
