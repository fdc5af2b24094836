//! Keys of chrono's types.

use sea_orm::sea_query::value::prelude::chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use sea_orm::sea_query::value::prelude::{DateTime, Utc};

use super::calendar::{self, Clock, Day};

pub(super) fn write_date(date: NaiveDate) -> String {
    let mut text = String::with_capacity(16);
    day(date).write(&mut text);
    text
}

pub(super) fn write_time(time: NaiveTime) -> String {
    let mut text = String::with_capacity(24);
    clock(time).write(&mut text);
    text
}

pub(super) fn write_date_time(date_time: NaiveDateTime) -> String {
    calendar::write(day(date_time.date()), clock(date_time.time()))
}

pub(super) fn write_utc(utc: NaiveDateTime) -> String {
    write_date_time(utc) + "Z"
}

pub(super) fn read_date(text: &str) -> Option<NaiveDate> {
    date_of(Day::read(text)?)
}

pub(super) fn read_time(text: &str) -> Option<NaiveTime> {
    time_of(Clock::read(text)?)
}

pub(super) fn read_date_time(text: &str) -> Option<NaiveDateTime> {
    let (day, clock) = calendar::read(text)?;
    Some(date_of(day)?.and_time(time_of(clock)?))
}

pub(super) fn read_utc(text: &str) -> Option<DateTime<Utc>> {
    let (day, clock, ahead) = calendar::read_zoned(text)?;
    let local = date_of(day)?.and_time(time_of(clock)?);
    // Subtracting zero would still lose that a second was a leap second.
    let utc = if ahead == 0 { local } else { local.checked_sub_signed(TimeDelta::try_seconds(ahead)?)? };
    Some(utc.and_utc())
}

fn day(date: NaiveDate) -> Day {
    // Months and days are small.
    let small = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    Day { year: date.year(), month: small(date.month()), day: small(date.day()) }
}

/// chrono counts the nanoseconds of a leap second on from those of the second before it.
fn clock(time: NaiveTime) -> Clock {
    let small = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    let (second, nanosecond) = match time.nanosecond() {
        n @ 1_000_000_000.. => (time.second() + 1, n - 1_000_000_000),
        n => (time.second(), n),
    };
    Clock { hour: small(time.hour()), minute: small(time.minute()), second: small(second), nanosecond }
}

fn date_of(day: Day) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(day.year, day.month.into(), day.day.into())
}

fn time_of(clock: Clock) -> Option<NaiveTime> {
    let Clock { hour, minute, second, nanosecond } = clock;
    let (hour, minute) = (hour.into(), minute.into());
    if second == 60 {
        return NaiveTime::from_hms_nano_opt(hour, minute, 59, nanosecond + 1_000_000_000);
    }
    NaiveTime::from_hms_nano_opt(hour, minute, second.into(), nanosecond)
}
