//! The secondary datastore: the titles in memory, which the server searches.
//!
//! It is empty after a restart, while the consumer's offset is in Redis and survives. In this example the database is
//! new at each start, too. With a persistent database, reindex at each start, and give each process a consumer of its
//! own name: see "Reindex" in `docs/workers.md`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use redstream_seaorm::{Changes, HandlerError, Sink};

use crate::entity as post;

#[derive(Clone, Default)]
pub(crate) struct Index(Arc<Mutex<BTreeMap<i32, String>>>);

impl Sink<post::Entity> for Index {
    async fn write(&self, changes: Changes<post::Entity>) -> Result<(), HandlerError> {
        let mut titles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        titles.extend(changes.upserts.into_iter().map(|(_, post)| (post.id, post.title)));
        changes.deletes.iter().for_each(|key| _ = titles.remove(&key.value()));
        Ok(())
    }
}

impl Index {
    pub(crate) fn titles_with(&self, word: &str) -> Vec<String> {
        let titles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        titles.values().filter(|title| title.to_lowercase().contains(&word.to_lowercase())).cloned().collect()
    }
}
