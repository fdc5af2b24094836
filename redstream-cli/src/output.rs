//! What is printed: tables for people, one JSON value for programs.

use std::io::{self, Write as _};
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) is_json: bool,
}

impl Output {
    /// The value as JSON, or the lines that `text` makes of it.
    pub(crate) fn print<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) -> io::Result<()> {
        let text = if self.is_json { serde_json::to_string_pretty(value)? } else { text(value) };
        line(text.trim_end())
    }

    /// One value of several, each on a line of its own.
    pub(crate) fn print_line<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) -> io::Result<()> {
        line(&if self.is_json { serde_json::to_string(value)? } else { text(value) })
    }
}

fn line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// A table without frames, as wide as the terminal.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(heads);
    rows.into_iter().for_each(|row| _ = table.add_row(row));
    let lines = table.to_string();
    lines.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Two units at most: `3d 4h`, `12m 5s`, `450ms`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds == 0 {
        return format!("{}ms", duration.as_millis());
    }
    let (days, hours, minutes, rest) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")];
    let from = parts.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let parts = parts[from..].iter().take(2).filter(|(count, _)| *count > 0);
    parts.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}

pub(crate) fn maybe(value: Option<Duration>) -> String {
    value.map_or_else(|| "-".to_owned(), duration)
}

/// In the largest unit that leaves a whole number before the point: `1.5 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (bytes.max(1).ilog2() / 10).min(4);
    if unit == 0 {
        return format!("{bytes} B");
    }
    // Tenths by whole numbers, so that large sizes are exact.
    let tenths = (u128::from(bytes) * 10) >> (10 * unit);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit as usize])
}

/// With a comma before each group of three digits.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1023, 1024, 1536, 5 << 40].map(bytes), ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 TiB"]);
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
        let spans = [0, 450, 61_000, 3_600_000, 90_061_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(spans, ["0ms", "450ms", "1m 1s", "1h", "1d 1h"]);
        assert_eq!(duration(Duration::from_secs(86400 + 60)), "1d");
    }

    #[test]
    fn a_table_has_no_spaces_at_the_ends_of_its_lines() {
        let table = table(["A", "B"], [["1".to_owned(), String::new()], ["long".to_owned(), "2".to_owned()]]);
        assert!(table.lines().all(|line| line == line.trim_end()), "{table:?}");
        assert_eq!(table.lines().count(), 3);
    }
}
