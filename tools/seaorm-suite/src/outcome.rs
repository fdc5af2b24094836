//! How a run ended.

use anyhow::{Context, Result};
use std::{
    fmt,
    io::Read,
    process::{Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};
use tempfile::NamedTempFile;

/// How long the tests of one file may take.
const BOUND: Duration = Duration::from_mins(2);

#[derive(Debug, Default)]
pub(crate) struct Outcome {
    files: u32,
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    /// By SeaORM itself.
    ignored: u32,
    pub(crate) messages: u64,
    pub(crate) building: Duration,
    pub(crate) running: Duration,
}

impl Outcome {
    /// Runs the tests of a file, and prints their output if one fails.
    pub(crate) fn add(&mut self, file: &str, tests: &mut Command) -> Result<()> {
        let mut output = NamedTempFile::new().context("could not make a temporary file")?;
        tests.stdout(output.reopen()?).stderr(output.reopen()?);
        let status = within_bound(tests)?;
        let mut text = String::new();
        output.read_to_string(&mut text).context("could not read what the tests printed")?;
        let told = Told::of(&text);
        self.files += 1;
        self.passed += told.passed;
        self.ignored += told.ignored;
        match status {
            Some(status) if status.success() && told.passed + told.ignored > 0 => return Ok(()),
            // A process that ended otherwise does not show which test failed.
            _ => self.failed += told.failed.max(1),
        }
        println!("{text}");
        println!("{file}: {}", status.map_or("not done in time, and ended".to_owned(), |status| status.to_string()));
        Ok(())
    }

    /// A check that belongs to no single test.
    pub(crate) fn fail(&mut self, why: &str) {
        println!("{why}");
        self.failed += 1;
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, passed, failed, ignored, messages, building, running } = self;
        write!(f, "{files} test files, {passed} passed, {failed} failed, {ignored} ignored by SeaORM itself, ")?;
        write!(f, "{messages} messages ({} s to build, {} s to run)", building.as_secs(), running.as_secs())
    }
}

/// The closing line of libtest.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Told {
    fn of(text: &str) -> Self {
        let Some((_, result)) = text.rsplit_once("test result: ") else { return Self::default() };
        let count = |what: &str| {
            let before = result.split_once(what).and_then(|(before, _)| before.rsplit(' ').next());
            before.and_then(|number| number.parse().ok()).unwrap_or_default()
        };
        Self { passed: count(" passed"), failed: count(" failed"), ignored: count(" ignored") }
    }
}

/// How the process ended, or `None` if it took too long.
fn within_bound(command: &mut Command) -> Result<Option<ExitStatus>> {
    let mut child = command.spawn().context("could not run the tests")?;
    let deadline = Instant::now() + BOUND;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().context("could not wait for the tests")? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().context("could not end the tests")?;
    child.wait().context("could not wait for the tests")?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::Told;

    #[test]
    fn the_closing_line_is_read() {
        let text = "test a ... ok\n\ntest result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; 9 filtered out\n";
        assert_eq!(Told::of(text), Told { passed: 5, failed: 2, ignored: 1 });
        assert_eq!(Told::of("killed"), Told::default());
    }
}
