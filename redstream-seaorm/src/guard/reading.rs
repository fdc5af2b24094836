//! What a text of SQL writes, and what of it could not be read.

use std::borrow::Cow;

use sea_orm::DbBackend;

use super::statements::writes;

/// What is known of a text of SQL.
#[derive(Debug, Default)]
pub(crate) struct Reading<'a> {
    pub(crate) writes: Vec<Write<'a>>,
    pub(crate) unread: Option<Unread<'a>>,
}

/// One table that a statement writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write<'a> {
    /// `INSERT`, `UPDATE`, …
    pub(crate) verb: &'static str,
    pub(crate) schema: Option<Cow<'a, str>>,
    pub(crate) table: Cow<'a, str>,
}

/// A statement whose text does not tell which tables it writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread<'a> {
    pub(crate) statement: Cow<'a, str>,
}

/// Reads all statements of a text.
pub(crate) fn read(sql: &str, backend: DbBackend) -> Reading<'_> {
    let owned = |name: &'_ str| name.to_owned();
    let write = |write: super::statements::Write<'_>| Write {
        verb: write.verb,
        schema: write.schema.map(owned).map(Cow::Owned),
        table: owned(write.table).into(),
    };
    let first = sql.split_whitespace().next().unwrap_or_default();
    let unread = ["DO", "EXECUTE", "CALL"].iter().any(|word| first.eq_ignore_ascii_case(word));
    Reading {
        writes: writes(sql, backend).into_iter().map(write).collect(),
        unread: unread.then(|| Unread { statement: sql.into() }),
    }
}
