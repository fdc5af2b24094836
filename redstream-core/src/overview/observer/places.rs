//! The bound on values of a label.

use std::collections::BTreeSet;

/// The value of a label that stands for all that have no place.
pub(super) const OTHER: &str = "other";

/// The values of a label that have series of their own. A place is never freed, since a recorder keeps a series once it
/// has it.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: BTreeSet<String>,
    is_told: bool,
}

impl Places {
    /// Whether `value` has a place; it takes one if fewer than `most` are taken.
    pub(super) fn has(&mut self, what: &'static str, value: &str, most: usize) -> bool {
        if self.taken.contains(value) {
            return true;
        }
        if self.taken.len() < most {
            return self.taken.insert(value.to_owned());
        }
        if !std::mem::replace(&mut self.is_told, true) {
            tracing::warn!(
                most,
                first = value,
                "there are more {what} than have metrics of their own: those of the others are summed under the label `other`. \
                 See Observer::most_streams"
            );
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_and_no_more_are_given_than_there_are() {
        let mut places = Places::default();
        assert!(places.has("streams", "a", 2) && places.has("streams", "b", 2));
        assert!(!places.has("streams", "c", 2) && places.is_told);
        assert!(places.has("streams", "a", 2) && places.has("streams", "b", 0));
    }
}
