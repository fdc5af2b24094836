//! A text of SQL as the guard reads it: the relations that it writes, and the tables behind them.

use std::borrow::Cow;
use std::sync::Arc;

use sea_orm::DbBackend;

use super::statements::{Reading, Write, read};
use super::tables::{Streaming, Tables, WrittenTable};
use super::views::Behind;
use crate::entity::table_name::{TableName, same};

/// The verb for a dropped table.
const DROP: &str = "DROP";

/// Texts that begin with these and hold one statement contain no definition.
const DEFINE_NOTHING: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];

/// A text without any of these changes no view.
const DEFINITIONS: [&str; 9] =
    ["VIEW", "RENAME", "TRIGGER", "RULE", "INHERIT", "PARTITION", "ATTACH", "DETACH", "SCHEMA"];

#[derive(Debug)]
pub(crate) struct Text<'a> {
    pub(super) sql: &'a str,
    pub(super) backend: DbBackend,
    pub(super) writes: Vec<Write<'a>>,
    /// The tables behind the relation of a write, by the write's index; only for relations that are no streamed tables
    /// themselves.
    pub(super) behind: Vec<(usize, Arc<Behind>)>,
    /// The statement whose writes are unknown.
    pub(super) unread: Option<Cow<'a, str>>,
    /// It may make, change or drop a view.
    pub(super) defines: bool,
    /// The lookup result of the first write's table, cached because most texts have only one write.
    pub(super) first: FirstWrite,
}

/// What was found of the table that the first write names.
#[derive(Clone, Copy, Debug)]
pub(super) enum FirstWrite {
    NotLookedUp,
    NotStreamed,
    Streamed(Streaming),
}

/// A streamed table that a text writes.
#[derive(Debug)]
pub(super) struct Found<'t> {
    pub(super) written: WrittenTable<'t>,
    pub(super) verb: &'static str,
    /// The relation that the text names, if that is not the table itself.
    pub(super) through: Option<&'t Write<'t>>,
}

impl<'a> Text<'a> {
    pub(crate) fn read(sql: &'a str, backend: DbBackend) -> Self {
        let Reading { mut writes, drops, unread } = read(sql, backend);
        writes.extend(drops);
        let defines = unread.is_some() || may_define(sql);
        let unread = unread.map(|unread| unread.statement);
        Self { sql, backend, writes, behind: Vec::new(), unread, defines, first: FirstWrite::NotLookedUp }
    }

    /// Whether the table that a write names is streamed.
    pub(super) fn is_streamed(&mut self, at: usize, tables: &Tables) -> bool {
        let write = &self.writes[at];
        let streaming = tables.streaming(write.schema.as_deref(), &write.table);
        if at == 0 {
            self.first = streaming.map_or(FirstWrite::NotStreamed, FirstWrite::Streamed);
        }
        streaming.is_some()
    }

    /// Each streamed table that it writes, once per write of it.
    pub(super) fn found<'t>(&'t self, tables: &'t Tables) -> impl Iterator<Item = Found<'t>> {
        // Of a table that is dropped, only the tables behind it are written.
        let named = self.writes.iter().enumerate().filter(|(_, write)| write.verb != DROP).filter_map(|(at, write)| {
            let (schema, table) = (write.schema.as_deref(), &*write.table);
            let streaming = match self.first {
                FirstWrite::Streamed(streaming) if at == 0 => Some(streaming),
                FirstWrite::NotStreamed if at == 0 => None,
                _ => tables.streaming(schema, table),
            };
            Some(Found { written: WrittenTable::new(schema, table, streaming?), verb: write.verb, through: None })
        });
        let behind = self.behind.iter().flat_map(|(at, behind)| {
            let write = &self.writes[*at];
            let goes = |table: &&TableName| write.verb == DROP && same(&table.table, &write.table);
            let others = behind.tables.iter().filter(move |table| !goes(table));
            let written = others.filter_map(|table| tables.find(table.schema.as_deref(), &table.table));
            written.map(move |written| Found { written, verb: write.verb, through: Some(write) })
        });
        named.chain(behind)
    }

    /// Records the tables behind the relation of a write.
    pub(super) fn resolve(&mut self, at: usize, behind: Arc<Behind>) {
        // The database cannot be asked about a relation that the text itself creates.
        let is_dropped = self.writes[at].verb == DROP;
        let may_make_it =
            !is_dropped && behind.tables.is_empty() && self.defines && self.names_twice(&self.writes[at].table);
        if behind.hidden || may_make_it {
            self.unread.get_or_insert(self.sql.into());
        }
        if !behind.tables.is_empty() {
            self.behind.push((at, behind));
        }
    }

    /// Whether a name occurs in the text more often than in one write.
    fn names_twice(&self, name: &str) -> bool {
        self.sql.to_lowercase().matches(&name.to_lowercase()).nth(1).is_some()
    }
}

impl Found<'_> {
    /// The relation that the text names, if that is not the table itself.
    pub(super) fn view(&self) -> Option<String> {
        self.through.map(|write| TableName::new(write.schema.as_deref(), &write.table).to_string())
    }
}

/// Whether a text may make, change or drop a view. May return true too often, never too rarely.
fn may_define(sql: &str) -> bool {
    let sql = sql.trim_start();
    if DEFINE_NOTHING.iter().any(|word| begins_with(sql, word)) && !sql.as_bytes().contains(&b';') {
        return false;
    }
    let sql = sql.to_ascii_uppercase();
    DEFINITIONS.iter().any(|word| sql.contains(word)) || holds_use(&sql)
}

/// Whether the first word is this one.
fn begins_with(sql: &str, word: &str) -> bool {
    let (sql, length) = (sql.as_bytes(), word.len());
    sql.get(..length).is_some_and(|first| first.eq_ignore_ascii_case(word.as_bytes()))
        && !sql.get(length).is_some_and(u8::is_ascii_alphabetic)
}

/// Whether the word USE is in it; it may have no blank after it.
fn holds_use(sql: &str) -> bool {
    let is_of_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = sql.as_bytes();
    sql.match_indices("USE").any(|(at, word)| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        // A version comment may be right before it: `/*!50000USE a*/`.
        !is_of_word(before.filter(|byte| !byte.is_ascii_digit())) && !is_of_word(bytes.get(at + word.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::may_define;

    #[test]
    fn a_change_of_the_database_is_a_change_of_what_names_mean() {
        for sql in ["USE db", "use`db`", "USE/**/db", "SELECT 1;USE\ndb", "/*!50000USE`db`*/", "USE\"db\""] {
            assert!(may_define(sql), "{sql}");
        }
        for sql in ["ALTER TABLE house ADD x int", "DROP USER used", "SELECT 1; SELECT my_use"] {
            assert!(!may_define(sql), "{sql}");
        }
    }
}
