//! Which tables are streamed.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use foldhash::fast::RandomState;
use sea_orm::EntityTrait;

use crate::entity::derived::derived_entities;
use crate::entity::table_name::{TableName, cut_off, folded, same};

/// The tables of all derived entities of the program, and of entities for which a hook or a bulk operation was called.
#[derive(Debug)]
pub(super) struct Tables(RwLock<KnownTables>);

#[derive(Debug, Default)]
struct KnownTables {
    /// The schemas in which a table of this name is streamed; `None`: an entity names no schema, so it may be in any.
    /// All in lower case.
    schemas: HashMap<String, Vec<Option<String>>, RandomState>,
    /// Entities that are already included: hooks check this for each record.
    entities: HashSet<TypeId>,
}

impl Tables {
    pub(super) fn known() -> Self {
        let mut known = KnownTables::default();
        // From the derive, so that a table is known before its first save.
        for (schema, table) in derived_entities().map(|entity| (entity.table)()) {
            known.add(schema.as_deref(), &table);
        }
        Self(RwLock::new(known))
    }

    /// Called by a hook or a bulk operation that works on the table of this entity.
    pub(super) fn learn<E: EntityTrait>(&self) {
        let entity = TypeId::of::<E>();
        if self.read().entities.contains(&entity) {
            return;
        }
        let name = E::default();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.add(name.schema_name(), name.table_name());
        known.entities.insert(entity);
    }

    /// Whether nothing is streamed.
    pub(super) fn is_empty(&self) -> bool {
        self.read().schemas.is_empty()
    }

    /// The streamed table that this name in a statement refers to, if it refers to one. A name without a schema may be
    /// in any schema.
    pub(super) fn find<'a>(&self, schema: Option<&'a str>, table: &'a str) -> Option<WrittenTable<'a>> {
        Some(WrittenTable::new(schema, table, self.streaming(schema, table)?))
    }

    /// The same as a plain answer, without the names.
    pub(super) fn streaming(&self, schema: Option<&str>, table: &str) -> Option<Streaming> {
        let known = self.read();
        let of_its_name = known.schemas.get(&*folded(table))?;
        let is_alone = of_its_name.len() == 1;
        let Some(named) = schema else {
            return Some(Streaming { is_named: false, is_alone });
        };
        let named = folded(named);
        let is_named = of_its_name.iter().flatten().any(|schema| *schema == named);
        let is_streamed = is_named || of_its_name.contains(&None);
        is_streamed.then_some(Streaming { is_named, is_alone })
    }

    fn read(&self) -> RwLockReadGuard<'_, KnownTables> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownTables {
    fn add(&mut self, schema: Option<&str>, table: &str) {
        self.add_name(schema, table);
        if let Some(cut) = cut_off(table) {
            self.add_name(schema, cut);
        }
    }

    fn add_name(&mut self, schema: Option<&str>, table: &str) {
        let schemas = self.schemas.entry(folded(table).into_owned()).or_default();
        let schema = schema.map(|schema| folded(schema).into_owned());
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
}

/// A streamed table that a statement writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrittenTable<'a> {
    /// As the statement names it.
    schema: Option<&'a str>,
    table: &'a str,
    streaming: Streaming,
}

/// How entities match a name that a statement writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streaming {
    /// An entity names this very schema.
    is_named: bool,
    /// All entities of tables of this name name the same schema, or none does.
    is_alone: bool,
}

impl<'a> WrittenTable<'a> {
    pub(super) fn new(schema: Option<&'a str>, table: &'a str, streaming: Streaming) -> Self {
        Self { schema, table, streaming }
    }

    /// Whether a permit for a table also covers a write of this one. A schema that only one of the two names must not
    /// be ambiguous: SeaORM's statements name the schema that their entity names, so the statement of a hook has the
    /// same schema as its permit.
    pub(crate) fn is_answered_by(&self, permit: &TableName) -> bool {
        let in_its_schema = match (permit.schema.as_deref(), self.schema) {
            (Some(permitted), Some(written)) => same(permitted, written),
            (None, None) => true,
            (Some(_), None) => self.streaming.is_alone,
            (None, Some(_)) => !self.streaming.is_named,
        };
        let is_its_name = |name: &str| same(name, self.table);
        in_its_schema && (is_its_name(&permit.table) || cut_off(&permit.table).is_some_and(is_its_name))
    }

    pub(crate) fn name(&self) -> TableName {
        TableName::new(self.schema, self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::{KnownTables, Tables};
    use crate::entity::table_name::TableName;
    use std::sync::RwLock;

    #[test]
    fn a_long_name_is_known_as_postgres_cuts_it() {
        let (long, cut) = ("a".repeat(70), "A".repeat(63));
        let mut known = KnownTables::default();
        known.add(None, &long);
        let tables = Tables(RwLock::new(known));
        let found = tables.find(None, &cut).expect("a streamed table");
        assert!(found.is_answered_by(&TableName::new(None, &long)));
        assert!(!found.is_answered_by(&TableName::new(None, &cut[..62])));
        assert!(tables.find(None, &cut[..62]).is_none());
        assert!(tables.find(None, &long).is_some());
    }
}
