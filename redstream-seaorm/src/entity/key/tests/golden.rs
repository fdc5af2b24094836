//! Values and their texts. A change here is a change of the wire format: writers of both versions would send the
//! messages of one row to different shards.

use redstream_core::BoxError;
use sea_orm::prelude::{BigDecimal, ChronoDateTimeLocal, ChronoDateTimeWithTimeZone, Decimal, Uuid};
use sea_orm::sea_query::value::prelude::chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use sea_orm::sea_query::value::prelude::time;
use sea_orm::sea_query::{Enum, OptionEnum, Value};

use super::{read, text};
use crate::entity::key::KeyError;
use crate::entity::key::error::feature_of;

fn pinned(values: impl IntoIterator<Item = (Value, &'static str)>) {
    for (value, expected) in values {
        assert_eq!(text(&value).unwrap(), expected, "{value:?}");
        assert_eq!(read(expected, &value).as_ref(), Some(&value), "{expected}");
    }
}

#[test]
fn booleans_and_integers() {
    pinned([
        (true.into(), "true"),
        (false.into(), "false"),
        (i8::MIN.into(), "-128"),
        (i16::MIN.into(), "-32768"),
        (i32::MIN.into(), "-2147483648"),
        (1_i64.into(), "1"),
        (u8::MAX.into(), "255"),
        (u16::MAX.into(), "65535"),
        (u32::MAX.into(), "4294967295"),
        (0_u64.into(), "0"),
    ]);
}

#[test]
fn integers_that_javascript_rounds_are_strings() {
    pinned([
        (9_007_199_254_740_991_i64.into(), "9007199254740991"),
        (9_007_199_254_740_992_i64.into(), "\"9007199254740992\""),
        ((-9_007_199_254_740_991_i64).into(), "-9007199254740991"),
        ((-9_007_199_254_740_992_i64).into(), "\"-9007199254740992\""),
        (i64::MIN.into(), "\"-9223372036854775808\""),
        (9_007_199_254_740_991_u64.into(), "9007199254740991"),
        (u64::MAX.into(), "\"18446744073709551615\""),
    ]);
    // The forms that other writers use.
    assert_eq!(read("9223372036854775807", &0_i64.into()), Some(i64::MAX.into()));
    assert_eq!(read("\"7\"", &0_i32.into()), Some(7_i32.into()));
}

#[test]
fn floats() {
    pinned([
        (0.0_f64.into(), "0.0"),
        ((-0.0_f64).into(), "0.0"),
        (1.0_f64.into(), "1.0"),
        (0.1_f64.into(), "0.1"),
        ((-1.5_f64).into(), "-1.5"),
        (123_456.789_f64.into(), "123456.789"),
        (1e15_f64.into(), "1000000000000000.0"),
        (1e16_f64.into(), "1e16"),
        (1.25e30_f64.into(), "1.25e30"),
        (0.000_01_f64.into(), "0.00001"),
        (1e-7_f64.into(), "1e-7"),
        (f64::MAX.into(), "1.7976931348623157e308"),
        (5e-324_f64.into(), "5e-324"),
        (0.1_f32.into(), "0.1"),
        (16_777_216_f32.into(), "16777216.0"),
        (f32::MAX.into(), "3.4028235e38"),
        (f32::from_bits(1).into(), "1e-45"),
    ]);
}

#[test]
fn text_and_bytes() {
    pinned([
        ("on sale".into(), "\"on sale\""),
        ("".into(), "\"\""),
        (
            "a\"b\\c/d\n\r\t\u{8}\u{c}\u{1}\u{7f}\u{2028}é😀".into(),
            "\"a\\\"b\\\\c/d\\n\\r\\t\\b\\f\\u0001\u{7f}\u{2028}é😀\"",
        ),
        ('ß'.into(), "\"ß\""),
        (vec![0_u8, 0x7f, 0xff].into(), "\"007fff\""),
        (Vec::<u8>::new().into(), "\"\""),
        (Uuid::from_u128(0x6F96_19FF_8B86_D011_B42D_00C0_4FC9_64FF).into(), "\"6f9619ff-8b86-d011-b42d-00c04fc964ff\""),
        (
            Value::Enum(OptionEnum::Some(Box::new(Enum { type_name: "".into(), value: "on sale".into() }))),
            "\"on sale\"",
        ),
    ]);
}

#[test]
fn decimals() -> Result<(), BoxError> {
    let decimals = [
        ("0", "\"0\""),
        ("-0.00", "\"0\""),
        ("1.50", "\"1.5\""),
        ("100", "\"100\""),
        ("-0.0010", "\"-0.001\""),
        ("12345678901234567.89", "\"12345678901234567.89\""),
        ("79228162514264337593543950335", "\"79228162514264337593543950335\""),
    ];
    for (digits, expected) in decimals {
        pinned([(Decimal::from_str_exact(digits)?.into(), expected), (digits.parse::<BigDecimal>()?.into(), expected)]);
    }
    pinned([
        ("15e299".parse::<BigDecimal>()?.into(), "\"1.5e300\""),
        ("-2e-300".parse::<BigDecimal>()?.into(), "\"-2e-300\""),
        ("2e3".parse::<BigDecimal>()?.into(), "\"2000\""),
    ]);
    // A parser has already rounded it.
    assert_eq!(read("1.5", &Decimal::ZERO.into()), None);
    assert_eq!(read("15", &Decimal::ZERO.into()), Some(Decimal::from(15).into()));
    Ok(())
}

fn noon(nanosecond: u32) -> NaiveDateTime {
    let day = NaiveDate::from_ymd_opt(2026, 2, 1).unwrap();
    day.and_hms_nano_opt(12, 34, 56, nanosecond).unwrap()
}

#[test]
fn dates_and_times_of_chrono() {
    let date = |year| NaiveDate::from_ymd_opt(year, 3, 15).unwrap();
    let utc: DateTime<Utc> = noon(0).and_utc();
    let east: ChronoDateTimeWithTimeZone = "2026-02-01T14:34:56+02:00".parse().unwrap();
    pinned([
        (date(2026).into(), "\"2026-03-15\""),
        (date(-44).into(), "\"-0044-03-15\""),
        (date(12_026).into(), "\"+12026-03-15\""),
        (NaiveTime::MIN.into(), "\"00:00:00\""),
        (noon(789_000_000).time().into(), "\"12:34:56.789\""),
        (noon(789_012_000).time().into(), "\"12:34:56.789012\""),
        (noon(1).time().into(), "\"12:34:56.000000001\""),
        (NaiveTime::from_hms_nano_opt(23, 59, 59, 1_500_000_000).unwrap().into(), "\"23:59:60.500\""),
        (noon(0).into(), "\"2026-02-01T12:34:56\""),
        (utc.into(), "\"2026-02-01T12:34:56Z\""),
        (ChronoDateTimeLocal::from(utc).into(), "\"2026-02-01T12:34:56Z\""),
        (east.into(), "\"2026-02-01T12:34:56Z\""),
    ]);
    // The form that other writers use.
    assert_eq!(read("\"2026-02-01T14:34:56+02:00\"", &utc.into()), Some(utc.into()));
    assert_eq!(read("\"2026-02-01T10:04:56-02:30\"", &utc.into()), Some(utc.into()));
}

#[test]
fn dates_and_times_of_the_crate_time_are_those_of_chrono() {
    let date = time::Date::from_calendar_date(2026, time::Month::February, 1).unwrap();
    let clock = |nanosecond| time::Time::from_hms_nano(12, 34, 56, nanosecond).unwrap();
    let noon = time::PrimitiveDateTime::new(date, clock(0));
    let east = noon.assume_offset(time::UtcOffset::from_hms(2, 0, 0).unwrap());
    pinned([
        (date.into(), "\"2026-02-01\""),
        (time::Date::MIN.into(), "\"-9999-01-01\""),
        (clock(0).into(), "\"12:34:56\""),
        (clock(789_000_000).into(), "\"12:34:56.789\""),
        (clock(1).into(), "\"12:34:56.000000001\""),
        (noon.into(), "\"2026-02-01T12:34:56\""),
        (noon.assume_utc().into(), "\"2026-02-01T12:34:56Z\""),
        (east.into(), "\"2026-02-01T10:34:56Z\""),
    ]);
    let beyond = time::PrimitiveDateTime::MIN.assume_offset(time::UtcOffset::from_hms(2, 0, 0).unwrap());
    assert!(matches!(text(&beyond.into()), Err(KeyError::OutOfRange { column: "k" })));
}

#[test]
fn what_has_no_form_is_refused() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(text(&value.into()), Err(KeyError::NotFinite { column: "k", .. })));
    }
    assert!(matches!(text(&f32::NAN.into()), Err(KeyError::NotFinite { .. })));
    assert!(matches!(text(&Value::BigInt(None)), Err(KeyError::Null { column: "k" })));
    assert!(matches!(text(&Value::Uuid(None)), Err(KeyError::Null { .. })));
    let error = text(&serde_json::json!(1).into()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the key's column `k` is of SeaORM's type Json, which is not supported in keys of streamed tables"
    );
    assert_eq!(
        ["ChronoDate", "TimeDate", "Uuid", "Decimal", "BigDecimal", "IpNetwork", "MacAddress", "Json"].map(feature_of),
        [
            Some("with-chrono"),
            Some("with-time"),
            Some("with-uuid"),
            Some("with-rust_decimal"),
            Some("with-bigdecimal"),
            Some("with-ipnetwork"),
            Some("with-mac_address"),
            None,
        ]
    );
}

#[test]
fn what_does_not_fit_is_not_read() {
    let date: Value = NaiveDate::MIN.into();
    for json in ["\"2026-2-1\"", "\"12026-02-01\"", "\"2026-02-30\"", "\"2026-02-01T00:00:00\"", "20260201", "null"] {
        assert_eq!(read(json, &date), None, "{json}");
    }
    for (json, kind) in [
        ("256", Value::from(0_u8)),
        ("-1", 0_u64.into()),
        ("1.5", 0_i64.into()),
        ("\"+1\"", 0_i64.into()),
        ("\"\"", 0_i64.into()),
        ("9223372036854775808", 0_i64.into()),
        ("\"0g\"", Vec::<u8>::new().into()),
        ("\"abc\"", Vec::<u8>::new().into()),
        ("\"ab\"", 'a'.into()),
        ("1e39", 0_f32.into()),
        ("1", true.into()),
        ("1", "1".into()),
    ] {
        assert_eq!(read(json, &kind), None, "{json}");
    }
}
