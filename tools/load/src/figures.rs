//! The figures of a run: a row for each period between two restarts, and a sum.

use std::fmt;
use std::time::Duration;

use crate::restarts::Restart;
use crate::sample::Sample;
use crate::words::Written;

/// Growth of less than this from the first half of a run to its second is noise.
const NOISE: f64 = 1.25;

/// The values of a sample.
type Figure = fn(&Sample) -> u64;

#[derive(Debug, Default)]
pub(crate) struct Figures {
    stretches: Vec<Stretch>,
}

/// The period from one restart to the next.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) length: Duration,
    pub(crate) written: Written,
    pub(crate) samples: Vec<Sample>,
    /// What ended it; the last ends by itself.
    pub(crate) ended_by: Option<Restart>,
}

impl Stretch {
    fn most<T: Ord + Default>(&self, of: impl Fn(&Sample) -> T) -> T {
        self.samples.iter().map(of).max().unwrap_or_default()
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn rate(&self, count: u64) -> f64 {
        count as f64 / self.length.as_secs_f64()
    }
}

impl Figures {
    pub(crate) fn add(&mut self, stretch: Stretch) {
        self.stretches.push(stretch);
    }

    /// The values that grew from the first half of the run to the second, although the load did not. The first period
    /// is left out: caches fill.
    pub(crate) fn growth(&self) -> Vec<String> {
        let rest = self.stretches.get(1..).unwrap_or_default();
        let (first, second) = rest.split_at(rest.len() / 2);
        let kinds: [(&str, Figure); 5] = [
            ("memory of a host", |sample| sample.host_memory),
            ("memory of a writer", |sample| sample.writer_memory),
            ("memory of Redis", |sample| sample.redis_memory),
            ("connections to Redis", |sample| sample.redis_connections),
            ("connections to the database", |sample| sample.database_connections),
        ];
        let grew = kinds.into_iter().filter_map(|(name, of)| {
            let (before, after) = (typical(first, of)?, typical(second, of)?);
            (after > before * NOISE).then(|| format!("{name} grew from {before:.0} to {after:.0}"))
        });
        grew.collect()
    }
}

/// The median of the maxima of the periods.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn typical(stretches: &[Stretch], of: Figure) -> Option<f64> {
    let mut greatest: Vec<u64> = stretches.iter().map(|stretch| stretch.most(of)).collect();
    greatest.sort_unstable();
    greatest.get(greatest.len() / 2).map(|greatest| *greatest as f64)
}

impl fmt::Display for Figures {
    /// A table in Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| | changes/s | commits/s | errors | lag, messages | lag, s | messages in Redis | Redis, MB | a host, MB | \
             a writer, MB | connections to Redis | to PostgreSQL | then |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|---|---|---|---|")?;
        let mut sum = Written::default();
        let mut length = Duration::ZERO;
        for (number, stretch) in self.stretches.iter().enumerate() {
            let Written { changes, commits, failures } = stretch.written;
            let then = stretch.ended_by.map(|restart| restart.to_string()).unwrap_or_default();
            writeln!(
                f,
                "| {} | {:.0} | {:.0} | {failures} | {} | {:.1} | {} | {} | {} | {} | {} | {} | {then} |",
                number + 1,
                stretch.rate(changes),
                stretch.rate(commits),
                stretch.most(|sample| sample.lag),
                stretch.most(|sample| sample.lag_time).as_secs_f64(),
                stretch.most(|sample| sample.messages),
                megabytes(stretch.most(|sample| sample.redis_memory)),
                megabytes(stretch.most(|sample| sample.host_memory)),
                megabytes(stretch.most(|sample| sample.writer_memory)),
                stretch.most(|sample| sample.redis_connections),
                stretch.most(|sample| sample.database_connections),
            )?;
            sum += stretch.written;
            length += stretch.length;
        }
        let all = Stretch { length, written: sum, samples: Vec::new(), ended_by: None };
        write!(
            f,
            "\n{} s: {} changes in {} commits, {:.0} changes and {:.0} commits a second; {} writes returned an error",
            length.as_secs(),
            sum.changes,
            sum.commits,
            all.rate(sum.changes),
            all.rate(sum.commits),
            sum.failures,
        )
    }
}

fn megabytes(bytes: u64) -> u64 {
    bytes / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::{Figures, Stretch};
    use crate::sample::Sample;
    use crate::words::Written;
    use std::time::Duration;

    fn run(memory: impl IntoIterator<Item = u64>) -> Figures {
        let stretch = |redis_memory| Stretch {
            length: Duration::from_secs(60),
            written: Written { changes: 600, commits: 60, failures: 1 },
            samples: vec![Sample { redis_memory, ..Sample::default() }],
            ended_by: None,
        };
        Figures { stretches: memory.into_iter().map(stretch).collect() }
    }

    #[test]
    fn growth_is_told_from_noise() {
        assert_eq!(run([10, 100, 110, 105, 120, 100]).growth(), Vec::<String>::new());
        assert_eq!(run([10, 100, 110, 200, 220, 230]).growth(), ["memory of Redis grew from 110 to 220"]);
    }

    #[test]
    fn the_sum_is_that_of_all_stretches() {
        let text = run([1, 2]).to_string();
        assert!(
            text.ends_with(
                "120 s: 1200 changes in 120 commits, 10 changes and 1 commits a second; 2 writes returned an error"
            ),
            "{text}"
        );
    }
}
