//! The trimmer: it reads the registry, and trims in a second step.

use super::consumers::bit;
use super::{Registry, Rule, State};

impl Registry {
    pub(super) fn plan(&self, state: &State) -> ([bool; 2], Option<u8>) {
        let names = state.consumers.map(|consumer| consumer.registered);
        let registered = || state.consumers.iter().filter(|consumer| consumer.registered);
        let waits = self.keeps(Rule::TrimWaitsForFirstCommit) && registered().any(|consumer| consumer.offset.is_none());
        let lowest = registered().filter_map(|consumer| consumer.offset).min();
        (names, lowest.filter(|_| !waits))
    }

    pub(super) fn trim(&self, state: &mut State) {
        let Some((names, lowest)) = state.plan.take() else { return };
        let now = self.plan(state);
        let lowest = if self.keeps(Rule::TrimComparesRegistry) {
            // The offsets are read by the script, too.
            now.1.filter(|_| now.0 == names)
        } else {
            lowest
        };
        let Some(to) = lowest.filter(|to| *to > state.trimmed) else { return };
        for consumer in state.consumers.iter().filter(|consumer| consumer.registered) {
            state.trimmed_owed |= (1..=to).any(|id| consumer.owed & bit(id) != 0);
        }
        state.trimmed = to;
    }
}
