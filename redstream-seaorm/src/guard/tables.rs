//! Which tables are streamed.

use std::any::TypeId;
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use sea_orm::EntityTrait;

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
pub(super) struct Tables(RwLock<Known>);

#[derive(Debug)]
struct Known {
    tables: HashSet<Table>,
    /// Entities that are among them: hooks ask for each record.
    entities: HashSet<TypeId>,
}

/// Without a schema: in whichever.
type Table = (String, Option<String>);

impl Tables {
    pub(super) fn known() -> Self {
        let each = inventory::iter::<StreamedEntity>().map(|entity| (entity.0)());
        let tables = each.map(|(schema, table)| named(&table, schema.as_deref()));
        Self(RwLock::new(Known { tables: tables.collect(), entities: HashSet::new() }))
    }

    /// A hook or a bulk operation is at work on the table of this entity.
    pub(super) fn learn<E: EntityTrait>(&self) {
        let entity = TypeId::of::<E>();
        if self.0.read().unwrap_or_else(PoisonError::into_inner).entities.contains(&entity) {
            return;
        }
        let name = E::default();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.tables.insert(named(name.table_name(), name.schema_name()));
        known.entities.insert(entity);
    }

    /// Whether it writes a streamed table. One that names no schema may be in any.
    pub(super) fn has(&self, write: &Write<'_>) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (table, schema) = (folded(&write.table), write.schema.as_deref().map(folded));
        let may_be_in = |of: &str| schema.as_deref().is_none_or(|schema| schema == of);
        known.tables.iter().any(|(streamed, of)| *streamed == table && of.as_deref().is_none_or(may_be_in))
    }
}

fn named(table: &str, schema: Option<&str>) -> Table {
    (folded(table).into_owned(), schema.map(|schema| folded(schema).into_owned()))
}

/// As it is where it has no capitals, as nearly every name.
fn folded(name: &str) -> Cow<'_, str> {
    let is_folded = name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_folded { name.into() } else { name.to_lowercase().into() }
}
