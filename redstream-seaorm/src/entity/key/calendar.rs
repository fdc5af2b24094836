//! Dates and times as text, the same for every date library: `2026-02-01T12:34:56.789Z`.

use std::fmt::Write as _;

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "a day of the calendar has a day of the month")]
pub(super) struct Day {
    pub(super) year: i32,
    pub(super) month: u8,
    pub(super) day: u8,
}

/// A time of day. A leap second is the second 60.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
    pub(super) nanosecond: u32,
}

impl Day {
    /// `2026-02-01`; years beyond 0 to 9999 have a sign: `+12026-02-01`, `-0044-03-15`.
    pub(super) fn write(self, text: &mut String) {
        let Self { year, month, day } = self;
        _ = match year {
            0..=9999 => write!(text, "{year:04}-{month:02}-{day:02}"),
            _ => write!(text, "{year:+05}-{month:02}-{day:02}"),
        };
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (rest, day) = text.rsplit_once('-')?;
        let (year, month) = rest.rsplit_once('-')?;
        let digits = year.strip_prefix(['+', '-']).unwrap_or(year);
        let signed = digits.len() < year.len();
        if !is_digits(digits) || digits.len() < 4 || (digits.len() > 4 && !signed) {
            return None;
        }
        Some(Self { year: year.parse().ok()?, month: two_digits(month)?, day: two_digits(day)? })
    }
}

impl Clock {
    /// `12:34:56`, with three, six or nine digits of a fraction if there is one.
    pub(super) fn write(self, text: &mut String) {
        let Self { hour, minute, second, nanosecond } = self;
        _ = write!(text, "{hour:02}:{minute:02}:{second:02}");
        _ = match nanosecond {
            0 => Ok(()),
            n if n.is_multiple_of(1_000_000) => write!(text, ".{:03}", n / 1_000_000),
            n if n.is_multiple_of(1_000) => write!(text, ".{:06}", n / 1_000),
            n => write!(text, ".{n:09}"),
        };
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let mut parts = seconds.split(':').map(two_digits);
        let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
        if parts.next().is_some() || !is_digits(fraction) || fraction.len() > 9 {
            return None;
        }
        let nanosecond = fraction.parse::<u32>().ok()? * 10_u32.pow(9 - u32::try_from(fraction.len()).ok()?);
        Some(Self { hour, minute, second, nanosecond })
    }
}

/// `2026-02-01T12:34:56`.
pub(super) fn write(day: Day, clock: Clock) -> String {
    let mut text = String::with_capacity(32);
    day.write(&mut text);
    text.push('T');
    clock.write(&mut text);
    text
}

pub(super) fn read(text: &str) -> Option<(Day, Clock)> {
    let (day, clock) = text.split_once('T')?;
    Some((Day::read(day)?, Clock::read(clock)?))
}

/// A date and time, and its offset from UTC in seconds: `…Z`, or in the form of other programs, `…+02:00`.
pub(super) fn read_zoned(text: &str) -> Option<(Day, Clock, i64)> {
    if let Some(utc) = text.strip_suffix('Z') {
        return read(utc).map(|(day, clock)| (day, clock, 0));
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (hours, minutes) = offset[1..].split_once(':')?;
    let ahead = i64::from(two_digits(hours)?) * 3600 + i64::from(two_digits(minutes)?) * 60;
    let sign = match &offset[..1] {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    read(local).map(|(day, clock)| (day, clock, sign * ahead))
}

fn two_digits(text: &str) -> Option<u8> {
    (text.len() == 2 && is_digits(text)).then(|| text.parse().ok()).flatten()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
