//! Every value reads back as itself, and two values have one text if and only if they are equal.

use proptest::prelude::*;
use sea_orm::prelude::{BigDecimal, ChronoDateTimeLocal, Decimal, Uuid};
use sea_orm::sea_query::Value;
use sea_orm::sea_query::value::prelude::chrono::{
    DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta,
};
use sea_orm::sea_query::value::prelude::time;

use super::{read, text};

fn chrono_dates() -> impl Strategy<Value = NaiveDate> {
    let all = NaiveDate::MIN..=NaiveDate::MAX;
    let days = (*all.end() - *all.start()).num_days();
    (0..=days).prop_map(move |day| *all.start() + TimeDelta::days(day))
}

fn chrono_times() -> impl Strategy<Value = NaiveTime> {
    let nanoseconds = prop_oneof![Just(0), 0..1_000_000_000_u32, (0..1_000_u32).prop_map(|n| n * 1_000_000)];
    let leap = (0..1440_u32, 1_000_000_000..2_000_000_000_u32).prop_map(|(minute, n)| (minute * 60 + 59, n));
    prop_oneof![4 => (0..86_400_u32, nanoseconds), 1 => leap]
        .prop_map(|(seconds, n)| NaiveTime::from_num_seconds_from_midnight_opt(seconds, n).unwrap())
}

fn chrono_date_times() -> impl Strategy<Value = NaiveDateTime> {
    (chrono_dates(), chrono_times()).prop_map(|(date, time)| date.and_time(time))
}

fn offsets() -> impl Strategy<Value = FixedOffset> {
    (-86_399..86_400).prop_map(|seconds| FixedOffset::east_opt(seconds).unwrap())
}

fn time_dates() -> impl Strategy<Value = time::Date> {
    (time::Date::MIN.to_julian_day()..=time::Date::MAX.to_julian_day())
        .prop_map(|day| time::Date::from_julian_day(day).unwrap())
}

fn time_times() -> impl Strategy<Value = time::Time> {
    (0..24_u8, 0..60_u8, 0..60_u8, prop_oneof![Just(0), 0..1_000_000_000_u32])
        .prop_map(|(hour, minute, second, n)| time::Time::from_hms_nano(hour, minute, second, n).unwrap())
}

fn time_date_times() -> impl Strategy<Value = time::PrimitiveDateTime> {
    (time_dates(), time_times()).prop_map(|(date, time)| time::PrimitiveDateTime::new(date, time))
}

fn decimals() -> impl Strategy<Value = Decimal> {
    let parts = (any::<u32>(), any::<u32>(), any::<u32>(), any::<bool>(), 0..=28_u32);
    let small = (-20..20_i64, 0..4_u32).prop_map(|(digits, scale)| Decimal::new(digits, scale));
    prop_oneof![
        parts.prop_map(|(low, middle, high, minus, scale)| Decimal::from_parts(low, middle, high, minus, scale)),
        small
    ]
}

fn big_decimals() -> impl Strategy<Value = BigDecimal> {
    let digits = prop_oneof![any::<i128>(), -20..20_i128];
    (digits, prop_oneof![-3..3_i64, -2000..2000_i64])
        .prop_map(|(digits, scale)| format!("{digits}e{}", -scale).parse().unwrap())
}

fn floats() -> impl Strategy<Value = Value> {
    let doubles = any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite());
    let floats = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |value| value.is_finite());
    prop_oneof![doubles.prop_map(Value::from), floats.prop_map(Value::from)]
}

pub(super) fn values() -> impl Strategy<Value = Value> {
    let integers = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        any::<i16>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u8>().prop_map(Value::from),
        any::<u16>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
    ];
    let texts = prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<char>().prop_map(Value::from),
        any::<Vec<u8>>().prop_map(Value::from),
        any::<u128>().prop_map(|bits| Uuid::from_u128(bits).into()),
    ];
    let numbers = prop_oneof![floats(), decimals().prop_map(Value::from), big_decimals().prop_map(Value::from)];
    let of_chrono = prop_oneof![
        chrono_dates().prop_map(Value::from),
        chrono_times().prop_map(Value::from),
        chrono_date_times().prop_map(Value::from),
        chrono_date_times().prop_map(|utc| utc.and_utc().into()),
        chrono_date_times().prop_map(|utc| ChronoDateTimeLocal::from(utc.and_utc()).into()),
        (chrono_date_times(), offsets())
            .prop_map(|(utc, offset)| DateTime::<FixedOffset>::from_naive_utc_and_offset(utc, offset).into()),
    ];
    let of_time = prop_oneof![
        time_dates().prop_map(Value::from),
        time_times().prop_map(Value::from),
        time_date_times().prop_map(Value::from),
        time_date_times().prop_map(|utc| utc.assume_utc().into()),
    ];
    prop_oneof![integers, texts, numbers, of_chrono, of_time]
}

/// Values of one kind that are often equal, and written differently.
pub(super) fn alike() -> impl Strategy<Value = (Value, Value)> {
    let few = || (-20..20_i64, 0..4_u32).prop_map(|(digits, scale)| Decimal::new(digits, scale));
    let instant = |hours: i64| {
        (-3..3_i64, -2..2_i32).prop_map(move |(seconds, east)| {
            let utc = NaiveDateTime::default() + TimeDelta::seconds(seconds + 3600 * hours);
            DateTime::<FixedOffset>::from_naive_utc_and_offset(utc, FixedOffset::east_opt(3600 * east).unwrap())
        })
    };
    let zeros = || prop::sample::select(vec![0.0, -0.0, 1.0, -1.0, 5e-324]);
    prop_oneof![
        (few(), few()).prop_map(|(one, other)| (one.into(), other.into())),
        (few(), few()).prop_map(|(one, other)| {
            let big = |decimal: Decimal| decimal.to_string().parse::<BigDecimal>().unwrap();
            (big(one).into(), big(other).into())
        }),
        (instant(0), instant(0)).prop_map(|(one, other)| (one.into(), other.into())),
        (zeros(), zeros()).prop_map(|(one, other)| (one.into(), other.into())),
    ]
}

fn bits(value: &Value) -> Option<u64> {
    match value {
        Value::Double(Some(value)) if *value != 0.0 => Some(value.to_bits()),
        Value::Float(Some(value)) if *value != 0.0 => Some(value.to_bits().into()),
        _ => None,
    }
}

fn hash(value: &Value) -> u64 {
    use std::hash::BuildHasher;
    foldhash::fast::FixedState::default().hash_one(value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn every_value_reads_back_as_itself(value in values()) {
        let json = text(&value).unwrap();
        let found = read(&json, &value);
        prop_assert_eq!(found.as_ref(), Some(&value), "{}", json);
        let found = found.unwrap();
        prop_assert_eq!(bits(&found), bits(&value), "{}", json);
        // The key that was read must be found among the keys of rows.
        prop_assert_eq!(hash(&found), hash(&value));
        prop_assert_eq!(text(&found).unwrap(), json);
    }

    #[test]
    fn every_float_reads_back_bit_by_bit(value in floats()) {
        let found = read(&text(&value).unwrap(), &value).unwrap();
        prop_assert_eq!(bits(&found), bits(&value));
    }

    #[test]
    fn equal_values_and_no_others_have_one_text((one, other) in alike()) {
        prop_assert_eq!(text(&one).unwrap() == text(&other).unwrap(), one == other);
        prop_assert!(one != other || hash(&one) == hash(&other));
    }

    #[test]
    fn texts_have_a_bound(value in big_decimals()) {
        prop_assert!(text(&value.into()).unwrap().len() < 160);
    }
}
