//! Tables in Markdown.

use super::table::{figure, ratio, verdict};
use crate::curve::Curve;
use crate::row::{Measure, Row};
use std::fmt::Write;

/// The complete row.
pub(crate) fn rows(rows: &[Row]) -> String {
    let mut text = String::from(
        "| path | beside | ours | limit | ratio (min … max) | at least | aim | | allocations, CPU µs |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let cost = row.cost.map_or_else(String::new, |cost| format!("{:.1}, {:.2}", cost.allocations, cost.cpu_us));
        line(
            &mut text,
            [
                row.path.to_owned(),
                row.yardstick.to_owned(),
                format!("{} {}", figure(row.ours), row.unit),
                figure(row.limit),
                format!(
                    "**{}** ({} … {})",
                    ratio(row, row.ratio),
                    ratio(row, row.ratio_min),
                    ratio(row, row.ratio_max)
                ),
                goal(row, row.floor),
                goal(row, row.aim),
                verdict(row).to_owned(),
                cost,
            ],
        );
    }
    text
}

/// The short table for the README.
pub(crate) fn summary(rows: &[Row]) -> String {
    let mut text = String::from("| path | ours | beside | ratio | at least | |\n|---|---|---|---|---|---|\n");
    for row in rows {
        let limit = format!("{}: {} {}", row.yardstick, figure(row.limit), row.unit);
        let ours = format!("{} {}", figure(row.ours), row.unit);
        let cells =
            [row.path.to_owned(), ours, limit, ratio(row, row.ratio), goal(row, row.floor), verdict(row).to_owned()];
        line(&mut text, cells);
    }
    text
}

pub(crate) fn curve(curve: &Curve) -> String {
    let mut text = String::new();
    line(&mut text, curve.columns.iter().map(ToString::to_string));
    line(&mut text, curve.columns.iter().map(|_| "---".to_owned()));
    for point in &curve.points {
        line(&mut text, point.iter().cloned());
    }
    text
}

fn line(text: &mut String, cells: impl IntoIterator<Item = String>) {
    for cell in cells {
        // Writing to a text cannot fail.
        let _ = write!(text, "| {cell} ");
    }
    text.push_str("|\n");
}

fn goal(row: &Row, goal: f64) -> String {
    match row.measure {
        Measure::Rate => format!("{goal}"),
        Measure::Price => format!("≤ {goal}"),
        Measure::Beyond => format!("≤ {goal} ms"),
    }
}
