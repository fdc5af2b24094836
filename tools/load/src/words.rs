//! The jobs and reports of the processes of a run.

use serde::{Deserialize, Serialize};

use crate::site::Site;

/// The job of a process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    Workers(Site),
    /// Writes the items whose id divided by `of` leaves one of the remainders from `first` on, one for each of its
    /// tasks.
    Writer {
        site: Site,
        first: i64,
        of: i64,
    },
}

/// A report of a process.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    Ready,
    /// What a writer has written since its last report.
    Written(Written),
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Written {
    /// Rows that were changed and committed.
    pub(crate) changes: u64,
    pub(crate) commits: u64,
    /// Writes that returned an error.
    pub(crate) failures: u64,
}

impl std::ops::AddAssign for Written {
    fn add_assign(&mut self, more: Self) {
        self.changes += more.changes;
        self.commits += more.commits;
        self.failures += more.failures;
    }
}
