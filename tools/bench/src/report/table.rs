//! The table of rows, for a terminal.

use crate::curve::Curve;
use crate::row::{Measure, Row};

pub(crate) fn print(rows: &[Row]) {
    for row in rows {
        let cost = row.cost.map_or_else(String::new, |cost| {
            format!("  {:.1} allocations, {:.2} µs CPU a message", cost.allocations, cost.cpu_us)
        });
        println!(
            "{:20} {:>9} {:>9} {:10}  {:>6} ({}…{})  floor {} aim {}  {}{cost}",
            row.name,
            figure(row.ours),
            figure(row.limit),
            row.unit,
            ratio(row, row.ratio),
            ratio(row, row.ratio_min),
            ratio(row, row.ratio_max),
            row.floor,
            row.aim,
            verdict(row),
        );
    }
}

/// Tab-separated, for spreadsheets.
pub(crate) fn print_curve(curve: &Curve) {
    println!("{}\t{}", curve.name, curve.columns.join("\t"));
    for point in &curve.points {
        println!("{}\t{}", curve.name, point.join("\t"));
    }
}

pub(crate) fn verdict(row: &Row) -> &'static str {
    match (row.pass, row.aim_met) {
        (_, true) => "aim met",
        (true, false) => "floor met",
        (false, false) => "MISSED",
    }
}

pub(crate) fn ratio(row: &Row, ratio: f64) -> String {
    match row.measure {
        Measure::Rate | Measure::Price => format!("{ratio:.2}"),
        Measure::Beyond => format!("{ratio:+.1} ms"),
    }
}

/// With three digits, or thousands.
pub(crate) fn figure(value: f64) -> String {
    match value {
        value if value >= 10_000.0 => format!("{:.0}k", value / 1000.0),
        value if value >= 100.0 => format!("{value:.0}"),
        value => format!("{value:.1}"),
    }
}
