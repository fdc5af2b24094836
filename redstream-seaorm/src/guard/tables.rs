//! Which tables are streamed.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use super::statements::Write;

/// A streamed entity, as its derive makes it known when the program is linked: so the guard knows of a table of which
/// nobody has saved anything yet.
pub struct StreamedEntity(
    /// Its schema, where it names one, and its table.
    pub fn() -> (Option<String>, String),
);

inventory::collect!(StreamedEntity);

/// The tables of all derived entities of the program, and those that a hook or a bulk operation was called for. Compared without
/// regard to case, as most databases do with names that are not quoted.
#[derive(Debug)]
pub(super) struct Tables(RwLock<HashSet<Table>>);

/// Without a schema: in whichever.
type Table = (String, Option<String>);

impl Tables {
    pub(super) fn known() -> Self {
        let each = inventory::iter::<StreamedEntity>().map(|entity| (entity.0)());
        let tables = each.map(|(schema, table)| (folded(&table), schema.as_deref().map(folded)));
        Self(RwLock::new(tables.collect()))
    }

    /// A hook or a bulk operation is at work on this table.
    pub(super) fn learn(&self, table: &str, schema: Option<&str>) {
        let table = (folded(table), schema.map(folded));
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&table);
        if !known {
            self.0.write().unwrap_or_else(PoisonError::into_inner).insert(table);
        }
    }

    /// Whether it writes a streamed table. One that names no schema may be in any.
    pub(super) fn has(&self, write: &Write<'_>) -> bool {
        let tables = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (table, schema) = (folded(write.table), write.schema.map(folded));
        match schema {
            Some(schema) => tables.contains(&(table.clone(), None)) || tables.contains(&(table, Some(schema))),
            None => tables.iter().any(|(streamed, _)| *streamed == table),
        }
    }
}

fn folded(name: &str) -> String {
    name.to_lowercase()
}
