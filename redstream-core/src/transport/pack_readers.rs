//! Whether the readers of a stream read packs, as far as this process knows: from their notes in the registry.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// What was found counts for this long. While packs are written, each call looks again.
const KEPT: Duration = Duration::from_secs(60);

/// By the keys of the registries.
#[derive(Debug, Default)]
pub(crate) struct PackReaders(Mutex<HashMap<String, Known>>);

#[derive(Debug)]
struct Known {
    seen: Instant,
    notes: Notes,
    read_packs: bool,
}

/// The notes of a registry, as `HVALS` returns them.
pub(crate) type Notes = Vec<Vec<u8>>;

/// What matters of a note.
#[derive(Debug, Deserialize)]
struct Note {
    packs: Option<u64>,
    packs_owner: Option<String>,
    owner: Option<String>,
}

impl PackReaders {
    /// `None`: it is unknown, or was found too long ago.
    pub(crate) fn known(&self, registry: &str) -> Option<bool> {
        self.all().get(registry).filter(|known| known.seen.elapsed() < KEPT).map(|known| known.read_packs)
    }

    /// Takes the notes that a registry has now. Returns whether all its consumers read packs.
    pub(crate) fn saw(&self, registry: &str, notes: Notes) -> bool {
        let (mut all, seen) = (self.all(), Instant::now());
        if let Some(known) = all.get_mut(registry).filter(|known| known.notes == notes) {
            known.seen = seen;
            return known.read_packs;
        }
        let read_packs = all_read_packs(&notes);
        all.insert(registry.to_owned(), Known { seen, notes, read_packs });
        read_packs
    }

    /// The registry could not be read: no consumer is given packs for now.
    pub(crate) fn failed(&self, registry: &str) {
        self.saw(registry, Notes::new());
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is a consumer, and each one reads packs; `packs.lua` decides in the same way.
fn all_read_packs(notes: &[Vec<u8>]) -> bool {
    let reads_packs = |note: &Vec<u8>| {
        serde_json::from_slice::<Note>(note).is_ok_and(|note| {
            // An owner of an earlier version took the lock after the one that noted `packs`.
            note.packs == Some(1) && (note.owner.is_none() || note.owner == note.packs_owner)
        })
    };
    !notes.is_empty() && notes.iter().all(reads_packs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(notes: &[&str]) -> Notes {
        notes.iter().map(|note| note.as_bytes().to_vec()).collect()
    }

    #[test]
    fn packs_are_for_streams_whose_consumers_all_read_them() {
        let new = r#"{"owner":"a\/5","packs":1,"packs_owner":"a\/5"}"#;
        let released = r#"{"packs":1,"packs_owner":"a/5"}"#;
        let taken_over = r#"{"owner":"b/5","packs":1,"packs_owner":"a/5"}"#;
        for (expected, all) in [
            (false, &[][..]),
            (true, &[new]),
            (true, &[new, released]),
            (false, &[taken_over]),
            (false, &[new, "{}"]),
            (false, &[r#"{"skips_repeats":false}"#]),
            (false, &[r#"{"packs":2}"#]),
            (false, &[r#"{"packs":true}"#]),
            (false, &[new, "broken"]),
        ] {
            assert_eq!(all_read_packs(&notes(all)), expected, "{all:?}");
        }
    }

    #[test]
    fn what_was_seen_last_counts() {
        let readers = PackReaders::default();
        assert_eq!(readers.known("a"), None);
        assert!(readers.saw("a", notes(&[r#"{"packs":1}"#])));
        assert_eq!((readers.known("a"), readers.known("b")), (Some(true), None));
        assert!(!readers.saw("a", notes(&[r#"{"packs":1}"#, "{}"])));
        assert_eq!(readers.known("a"), Some(false));
        readers.failed("b");
        assert_eq!(readers.known("b"), Some(false));
    }
}
