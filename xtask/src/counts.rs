//! How many tests passed and failed, for the closing line.

use anyhow::{Context, Result};
use std::{
    fmt,
    io::{BufRead, BufReader, Read},
    ops::Add,
};

/// Tests that passed, and tests that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    passed: u32,
    failed: u32,
}

impl Counts {
    /// Copies what libtest prints to our own output, and adds up its closing lines, such as
    /// `test result: ok. 5 passed; 0 failed; 0 ignored; …`.
    pub(crate) fn echo_libtest(output: impl Read) -> Result<Self> {
        let mut counts = Self::default();
        for line in BufReader::new(output).lines() {
            let line = line.context("could not read the output of the tests")?;
            println!("{line}");
            if let Some((_, result)) = line.split_once("test result: ") {
                counts = counts + Self { passed: before(result, " passed"), failed: before(result, " failed") };
            }
        }
        Ok(counts)
    }

    /// Reads the totals of a report in the form of `JUnit`: the attributes of its first `testsuites`.
    pub(crate) fn of_junit(report: &str) -> Self {
        let total = report.split_once("<testsuites").and_then(|(_, rest)| rest.split_once('>'));
        let (attributes, _) = total.unwrap_or_default();
        let failed = after(attributes, " failures=\"") + after(attributes, " errors=\"");
        Self { passed: after(attributes, " tests=\"").saturating_sub(failed), failed }
    }

    /// A step that is not run by a test runner, such as the demo.
    pub(crate) fn one(passed: bool) -> Self {
        Self { passed: u32::from(passed), failed: u32::from(!passed) }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The number that ends where `mark` begins, or 0.
fn before(text: &str, mark: &str) -> u32 {
    let number = text.split_once(mark).and_then(|(before, _)| before.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// The number between `mark` and the next quotation mark, or 0.
fn after(text: &str, mark: &str) -> u32 {
    let number = text.split_once(mark).and_then(|(_, after)| after.split('"').next());
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn adds_up_the_closing_lines_of_libtest() {
        let output = "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured\n\
                      some line\n\
                      test result: FAILED. 10 passed; 2 failed; 1 ignored; 0 measured\n";
        let counts = Counts::echo_libtest(output.as_bytes()).unwrap();
        assert_eq!(counts.to_string(), "15 passed, 2 failed");
    }

    #[test]
    fn reads_the_totals_of_a_junit_report() {
        let report = "<?xml version=\"1.0\"?>\n<testsuites name=\"nextest\" tests=\"9\" failures=\"1\" \
                      errors=\"2\" uuid=\"x\">\n<testsuite tests=\"4\">";
        assert_eq!(Counts::of_junit(report).to_string(), "6 passed, 3 failed");
    }
}
