//! The gauges of what the last whole verification found.

use redstream_core::metrics;

use crate::verify::report::{DifferenceKind, VerifyReport};

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
pub(super) fn set(report: &VerifyReport) {
    let kinds = [report.missing, report.stale, report.extra].map(|count| count as f64);
    set_to(report, kinds, report.found() as f64);
}

/// Ends the series: another process has later values, and a gauge that is not set again would keep its last one.
pub(super) fn end(report: &VerifyReport) {
    set_to(report, [f64::NAN; 3], f64::NAN);
}

fn set_to(report: &VerifyReport, kinds: [f64; 3], all: f64) {
    let labels = [("table", report.entity.clone()), ("target", report.target.clone())];
    for (kind, value) in [DifferenceKind::Missing, DifferenceKind::Stale, DifferenceKind::Extra].iter().zip(kinds) {
        let [table, target] = labels.clone();
        ::metrics::gauge!(metrics::VERIFY_DIFFERENCES, &[table, target, ("kind", kind.word().to_owned())]).set(value);
    }
    ::metrics::gauge!(metrics::DRIFT, &labels).set(all);
}
