//! Keys of the types of the crate `time`.

use sea_orm::sea_query::value::prelude::time::{
    Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset,
};

use super::calendar::{self, Clock, Day};

pub(super) fn write_date(date: Date) -> String {
    let mut text = String::with_capacity(16);
    day(date).write(&mut text);
    text
}

pub(super) fn write_time(time: Time) -> String {
    let mut text = String::with_capacity(24);
    clock(time).write(&mut text);
    text
}

pub(super) fn write_date_time(date_time: PrimitiveDateTime) -> String {
    calendar::write(day(date_time.date()), clock(date_time.time()))
}

/// `None` if the date in UTC is out of the crate's range of years.
pub(super) fn write_utc(date_time: OffsetDateTime) -> Option<String> {
    let utc = date_time.checked_to_offset(UtcOffset::UTC)?;
    Some(write_date_time(PrimitiveDateTime::new(utc.date(), utc.time())) + "Z")
}

pub(super) fn read_date(text: &str) -> Option<Date> {
    date_of(Day::read(text)?)
}

pub(super) fn read_time(text: &str) -> Option<Time> {
    time_of(Clock::read(text)?)
}

pub(super) fn read_date_time(text: &str) -> Option<PrimitiveDateTime> {
    let (day, clock) = calendar::read(text)?;
    Some(PrimitiveDateTime::new(date_of(day)?, time_of(clock)?))
}

pub(super) fn read_utc(text: &str) -> Option<OffsetDateTime> {
    let (day, clock, ahead) = calendar::read_zoned(text)?;
    let local = PrimitiveDateTime::new(date_of(day)?, time_of(clock)?);
    Some(local.checked_sub(Duration::seconds(ahead))?.assume_utc())
}

fn day(date: Date) -> Day {
    Day { year: date.year(), month: date.month().into(), day: date.day() }
}

fn clock(time: Time) -> Clock {
    let (hour, minute, second, nanosecond) = time.as_hms_nano();
    Clock { hour, minute, second, nanosecond }
}

fn date_of(day: Day) -> Option<Date> {
    Date::from_calendar_date(day.year, Month::try_from(day.month).ok()?, day.day).ok()
}

fn time_of(clock: Clock) -> Option<Time> {
    Time::from_hms_nano(clock.hour, clock.minute, clock.second, clock.nanosecond).ok()
}
