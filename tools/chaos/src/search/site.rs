//! What a process is told of the search index.

use serde::{Deserialize, Serialize};

use crate::search::plan::{Plan, Step};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SearchSite {
    /// The proxy in front of the search server.
    pub(crate) port: u16,
    /// The name that searches use.
    pub(crate) alias: String,
    pub(crate) plan: Plan,
    /// How many steps of the plan are done.
    pub(crate) done: usize,
    /// The stored keys of rows that were announced before this process was started, and that no writer touches.
    pub(crate) settled: Vec<String>,
}

impl SearchSite {
    /// The step at hand; the last one if all are done.
    pub(crate) fn step(&self) -> Option<&Step> {
        self.plan.steps.get(self.done).or(self.plan.steps.last())
    }

    /// The indices that are written now.
    pub(crate) fn written(&self) -> &[u8] {
        self.step().map_or(&[], |step| &step.written)
    }
}
