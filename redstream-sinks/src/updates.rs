//! What a write is to do, once for each place in the datastore.

use std::collections::HashMap;

/// Updates in the order in which they came, of which those for the same place are one: the last.
#[derive(Debug)]
pub(crate) struct Updates<T> {
    updates: Vec<T>,
    positions: HashMap<String, usize>,
}

impl<T> Updates<T> {
    pub(crate) fn new() -> Self {
        Self { updates: Vec::new(), positions: HashMap::new() }
    }

    pub(crate) fn add(&mut self, place: String, update: T) {
        if let Some(&position) = self.positions.get(&place) {
            self.updates[position] = update;
        } else {
            self.positions.insert(place, self.updates.len());
            self.updates.push(update);
        }
    }

    pub(crate) fn into_vec(self) -> Vec<T> {
        self.updates
    }
}
