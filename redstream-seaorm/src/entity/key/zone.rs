//! Keys whose time a database spells in several ways.

use sea_orm::sea_query::{Value, ValueTuple};

/// Whether the key has a time with an offset other than that of UTC.
pub(crate) fn is_beside_utc(key: &ValueTuple) -> bool {
    has(key, |value| match value {
        #[cfg(feature = "with-chrono")]
        Value::ChronoDateTimeWithTimeZone(Some(time)) => time.offset().local_minus_utc() != 0,
        #[cfg(feature = "with-time")]
        Value::TimeDateTimeWithTimeZone(Some(time)) => !time.offset().is_utc(),
        _ => false,
    })
}

/// Whether the key has the time 00:00:00, as which `24:00:00` of PostgreSQL is read.
pub(crate) fn has_midnight(key: &ValueTuple) -> bool {
    has(key, |value| match value {
        #[cfg(feature = "with-chrono")]
        Value::ChronoTime(Some(time)) => *time == sea_orm::sea_query::prelude::chrono::NaiveTime::MIN,
        #[cfg(feature = "with-time")]
        Value::TimeTime(Some(time)) => *time == sea_orm::sea_query::prelude::time::Time::MIDNIGHT,
        _ => false,
    })
}

fn has(key: &ValueTuple, is: impl Fn(&Value) -> bool) -> bool {
    match key {
        ValueTuple::One(value) => is(value),
        ValueTuple::Two(first, second) => is(first) || is(second),
        ValueTuple::Three(first, second, third) => [first, second, third].into_iter().any(is),
        ValueTuple::Many(values) => values.iter().any(is),
    }
}
