//! The search index: a map in memory, sorted by key, which refuses cities without a name.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redstream_seaorm::{Changes, Failures, HandlerError, Key, KeyRange, Scan, Sink};

use crate::city::{Entity, Model};

#[derive(Clone, Default)]
pub(crate) struct Index(Arc<Mutex<BTreeMap<i64, String>>>);

impl Index {
    pub(crate) fn cities(&self) -> MutexGuard<'_, BTreeMap<i64, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink<Entity> for Index {
    async fn write(&self, changes: Changes<Entity>) -> Result<(), HandlerError> {
        let (mut cities, mut failures) = (self.cities(), Failures::new());
        for key in changes.deletes {
            cities.remove(&key.value());
        }
        for (key, city) in changes.upserts {
            if city.name.is_empty() {
                failures.failed(key, "the city has no name");
            } else {
                cities.insert(city.id, city.name);
            }
        }
        failures.into_result()
    }
}

impl Scan<Entity> for Index {
    type Document = String;

    async fn scan(
        &self,
        range: KeyRange<'_, Entity>,
        limit: usize,
    ) -> Result<Vec<(Key<Entity>, String)>, HandlerError> {
        let after = range.after.map_or(Unbounded, |key| Excluded(key.value()));
        let until = range.until.map_or(Unbounded, |key| Included(key.value()));
        Ok(self.cities().range((after, until)).take(limit).map(|(id, name)| (Key::new(*id), name.clone())).collect())
    }

    async fn find(&self, keys: &[Key<Entity>]) -> Result<Option<Vec<(Key<Entity>, String)>>, HandlerError> {
        let cities = self.cities();
        let found = keys.iter().filter_map(|key| Some((key.clone(), cities.get(&key.value())?.clone())));
        Ok(Some(found.collect()))
    }

    fn is_current(&self, _: &Key<Entity>, city: &Model, name: &String) -> Result<bool, HandlerError> {
        Ok(city.name == *name)
    }
}
