//! What is done to the search index of a schedule.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// One after the other.
    pub(crate) steps: Vec<Step>,
    /// How many rows there are from the beginning that no writer touches.
    pub(crate) settled: usize,
    /// Swaps verify the new index before the searches use it.
    pub(crate) is_verified: bool,
    /// The consumers of the indices handle each change once.
    pub(crate) skips_repeats: bool,
    /// The most documents of one request.
    pub(crate) max_documents: usize,
}

/// One step of a plan. Indices are given by their numbers, 1 and 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) act: Act,
    /// The indices that are written: their consumers run on both hosts.
    pub(crate) written: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Act {
    /// The index in use is filled, or filled again.
    Reindex { index: u8 },
    /// The alias is pointed at another index.
    Swap { to: u8, replaces: Option<u8>, remove_old: bool },
    /// The swap is run again until the consumer of the old index is forgotten.
    Retire { to: u8, replaces: u8 },
    /// A swap whose check fails, or that is dropped after so many ms: it is never switched.
    Attempt { to: u8, cut_ms: u64 },
    /// Such a swap is aborted.
    Abort { to: u8 },
}

impl Plan {
    /// The index that the alias points at after so many steps; `None` if there is no alias yet.
    pub(crate) fn in_use(&self, steps: usize) -> Option<u8> {
        let of = |step: &Step| match step.act {
            Act::Reindex { index } => Some(index),
            Act::Swap { to, .. } => Some(to),
            _ => None,
        };
        self.steps[..steps].iter().rev().find_map(of)
    }

    /// Whether the first index is there before the first step, with its alias and without documents.
    pub(crate) fn begins_with_reindex(&self) -> bool {
        matches!(self.steps.first().map(|step| step.act), Some(Act::Reindex { .. }))
    }
}
