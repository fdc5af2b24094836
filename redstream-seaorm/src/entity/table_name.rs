//! The name of a table, with the schema that an entity or a statement names.

use std::borrow::Cow;
use std::fmt;

use sea_orm::EntityTrait;

/// A table by its name. Names are compared without regard to case, as most databases do with names that are not quoted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TableName {
    /// A schema of PostgreSQL, a database of MariaDB, an attached database of SQLite. `None`: the database chooses.
    pub(crate) schema: Option<Cow<'static, str>>,
    pub(crate) table: Cow<'static, str>,
}

impl TableName {
    /// The table of an entity.
    pub(crate) fn of<E: EntityTrait>() -> Self {
        let entity = E::default();
        let schema = entity.schema_name().map(|schema| schema.to_owned().into());
        Self { schema, table: entity.table_name().into() }
    }

    pub(crate) fn new(schema: Option<&str>, table: &str) -> Self {
        Self { schema: schema.map(|schema| schema.to_owned().into()), table: table.to_owned().into() }
    }
}

/// `SCHEMA.TABLE`, or the table alone.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.table)
    }
}

/// PostgreSQL truncates names to this many bytes.
const POSTGRES_NAME: usize = 63;

/// The truncated form of a name that is too long for PostgreSQL; `None` if it is not.
pub(crate) fn cut_off(name: &str) -> Option<&str> {
    let end = (0..=POSTGRES_NAME).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    (name.len() > POSTGRES_NAME).then(|| &name[..end])
}

/// In lower case. Borrowed if it has no capitals, as nearly every name has none.
pub(crate) fn folded(name: &str) -> Cow<'_, str> {
    let is_folded = name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_folded { name.into() } else { name.to_lowercase().into() }
}

/// Whether two names are equal without regard to case.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one == other
        || one.eq_ignore_ascii_case(other)
        || (!(one.is_ascii() && other.is_ascii()) && folded(one) == folded(other))
}
