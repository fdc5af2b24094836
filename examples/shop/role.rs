//! The parts of the shop that a process can run.

use std::str::FromStr;

use anyhow::bail;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Everything, in one process.
    All,
    /// Creates the tables, and ends.
    Migrate,
    /// Answers requests, and writes.
    Web,
    /// Follows what was written.
    Workers,
}

impl Role {
    pub(crate) fn migrates(self) -> bool {
        matches!(self, Self::All | Self::Migrate)
    }

    pub(crate) fn serves(self) -> bool {
        matches!(self, Self::All | Self::Web)
    }

    pub(crate) fn works(self) -> bool {
        matches!(self, Self::All | Self::Workers)
    }
}

impl FromStr for Role {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> anyhow::Result<Self> {
        Ok(match word {
            "all" => Self::All,
            "migrate" => Self::Migrate,
            "web" => Self::Web,
            "workers" => Self::Workers,
            _ => bail!("{word} is none of: all, migrate, web, workers"),
        })
    }
}
