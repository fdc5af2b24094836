//! What the guides write to: names in memory, in place of a search index.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use redstream_seaorm::{Changes, HandlerError, Key, Sink};

use crate::city;

/// The names of cities by their ids. It is empty when the process starts, so it needs no versions.
#[derive(Clone, Default)]
pub(crate) struct Names(Arc<Mutex<BTreeMap<i64, String>>>);

impl Names {
    /// Writes names, and removes others.
    pub(crate) fn change(&self, written: impl Iterator<Item = (i64, String)>, removed: impl Iterator<Item = i64>) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.extend(written);
        removed.for_each(|id| _ = names.remove(&id));
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Waits until it has exactly these, for ten seconds at most.
    pub(crate) async fn become_those(&self, names: &[&str]) -> anyhow::Result<()> {
        for _ in 0..1000 {
            if self.all() == names {
                println!("the index has {names:?}");
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("the index has {:?} instead of {names:?}, after ten seconds", self.all())
    }
}

impl Sink<city::Entity> for Names {
    async fn write(&self, changes: Changes<city::Entity>) -> Result<(), HandlerError> {
        let written = changes.upserts.into_iter().map(|(_, city)| (city.id, city.name));
        self.change(written, changes.deletes.iter().map(Key::value));
        Ok(())
    }
}
