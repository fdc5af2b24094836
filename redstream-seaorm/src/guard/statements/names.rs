//! Statements that write one table, and its name.

use std::borrow::Cow;

use sea_orm::DbBackend;

use super::super::tokens::Token;
use super::{Reader, Write};
use crate::entity::table_name::cut_off;

/// A schema, and a table in it.
pub(super) type Name<'a> = (Option<Cow<'a, str>>, Cow<'a, str>);

/// The name as PostgreSQL truncates it.
fn cut(name: Cow<'_, str>) -> Cow<'_, str> {
    match cut_off(&name) {
        Some(cut) => Cow::Owned(cut.to_owned()),
        None => name,
    }
}

impl<'a> Reader<'a> {
    /// `[schema .] table`
    pub(super) fn name(&mut self) -> Option<Name<'a>> {
        // `UPDATE .cities`: MySQL accepts a dot without a schema.
        if self.backend == DbBackend::MySql {
            self.accept_sign(b'.');
        }
        let mut table = self.peek()?.name()?;
        self.held = None;
        let mut schema = None;
        while self.peek() == Some(Token::Sign(b'.')) {
            self.held = None;
            // `DELETE cities.* FROM …`
            if self.accept_sign(b'*') {
                break;
            }
            schema = Some(table);
            table = self.next()?.name()?;
        }
        Some((schema, table))
    }

    pub(super) fn write(&mut self, verb: &'static str, name: Name<'a>) {
        let write = self.as_stored(verb, name);
        // A rule on it determines what is written to it.
        if self.backend == DbBackend::Postgres && write.table.eq_ignore_ascii_case("pg_settings") {
            self.not_understood();
        }
        self.reading.writes.push(write);
    }

    /// The write of a table by the database's spelling of its name.
    pub(super) fn as_stored(&self, verb: &'static str, (schema, table): Name<'a>) -> Write<'a> {
        if self.backend == DbBackend::Postgres {
            Write { verb, schema: schema.map(cut), table: cut(table) }
        } else {
            Write { verb, schema, table }
        }
    }

    /// Reads the next table name, and records a write of it.
    pub(super) fn table(&mut self, verb: &'static str) {
        match self.name() {
            Some(name) => self.write(verb, name),
            None => self.not_understood(),
        }
    }

    /// `[ONLY] table`, `ONLY (table)`
    pub(super) fn relation(&mut self, verb: &'static str) {
        if self.backend != DbBackend::Postgres || !self.accept("ONLY") || !self.accept_sign(b'(') {
            return self.table(verb);
        }
        self.table(verb);
        self.accept_sign(b')');
    }

    /// `OR IGNORE` in SQLite.
    pub(super) fn pass_conflict(&mut self) {
        if self.backend == DbBackend::Sqlite && self.accept("OR") {
            self.next();
        }
    }

    pub(super) fn inserted(&mut self, verb: &'static str) {
        let rest = self.tokens.rest();
        if self.backend == DbBackend::MySql {
            while self.accept_one_of(&["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE"]) {}
        }
        self.pass_conflict();
        if !self.accept("INTO") && self.backend != DbBackend::MySql {
            return self.not_understood();
        }
        self.table(verb);
        if self.backend == DbBackend::Postgres && may_hold_with(rest) {
            self.writes_in_parentheses();
        }
    }

    pub(super) fn merged(&mut self) {
        if self.accept("INTO") {
            self.relation("MERGE");
        } else {
            self.not_understood();
        }
    }

    /// `COPY cities FROM …` writes, `COPY cities TO …` reads, `COPY (DELETE … RETURNING …) TO …` writes.
    pub(super) fn copied(&mut self) {
        if self.accept_sign(b'(') {
            return self.statement();
        }
        self.accept("BINARY");
        let Some(name) = self.name() else { return self.not_understood() };
        let parens = self.parens;
        if self.accept_sign(b'(') {
            self.pass_parens_to(parens);
        }
        if !self.accept("TO") {
            self.write("COPY", name);
        }
    }

    /// `LOAD DATA … INTO TABLE cities …`; `LOAD INDEX INTO CACHE …` reads.
    pub(super) fn loaded(&mut self) {
        if self.accept("INDEX") {
            return;
        }
        while let Some(token) = self.next_of_statement() {
            if token.is("INTO") {
                self.accept("TABLE");
                return self.table("LOAD");
            }
        }
        self.not_understood();
    }

    /// Statements that write and are in parentheses: in PostgreSQL each common table expression may be one, and that of
    /// an INSERT follows its table.
    pub(super) fn writes_in_parentheses(&mut self) {
        let parens = self.parens;
        while let Some(token) = self.next_of_statement() {
            if self.parens < parens {
                // It was a part of another one.
                return;
            }
            if token.is("EXECUTE") {
                self.not_understood();
            }
            if token != Token::Sign(b'(') {
                continue;
            }
            // A common table expression may have common table expressions of its own.
            if self.accept("WITH") {
                self.with();
                continue;
            }
            // A column may have this name, too: `(delete, x)`.
            if self.accept("UPDATE") {
                if self.peek().is_some_and(|token| token.name().is_some()) {
                    self.relation("UPDATE");
                }
            } else if self.accept("DELETE") {
                if self.accept("FROM") {
                    self.relation("DELETE");
                }
            } else if self.accept_one_of(&["INSERT", "MERGE"]) && self.accept("INTO") {
                self.relation("INSERT");
            }
        }
    }
}

impl Reader<'_> {
    /// `SELECT … INTO [TABLE] cities FROM …` of PostgreSQL makes a table.
    pub(super) fn selected(&mut self) {
        if !may_hold(self.tokens.rest(), *b"into") {
            return;
        }
        let parens = self.parens;
        // After a dot and after AS, a keyword is a name.
        let mut is_name = false;
        while let Some(token) = self.next_of_statement() {
            if self.parens < parens {
                return;
            }
            if token.is("INTO") && !is_name {
                while self.accept_one_of(&["TEMPORARY", "TEMP", "LOCAL", "GLOBAL", "UNLOGGED", "TABLE"]) {}
                return self.table("CREATE");
            }
            is_name = token == Token::Sign(b'.') || (token.is("AS") && !is_name);
        }
    }
}

/// Whether the text may contain these four letters, in either case; a fast check.
pub(super) fn may_hold(text: &str, [a, b, c, d]: [u8; 4]) -> bool {
    let bytes = text.as_bytes();
    let [Some(second), Some(third), Some(fourth)] = [1, 2, 3].map(|at| bytes.get(at..)) else { return false };
    let fours = bytes.iter().zip(second).zip(third).zip(fourth);
    #[expect(clippy::needless_bitwise_bool, reason = "without branches, the compiler compares many bytes at once")]
    fours.fold(false, |found, (((w, x), y), z)| {
        found | ((w | 0x20 == a) & (x | 0x20 == b) & (y | 0x20 == c) & (z | 0x20 == d))
    })
}

/// Whether the keyword WITH may be in it; quick.
fn may_hold_with(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(second) = bytes.get(1..) else { return false };
    let pairs = bytes.iter().zip(second);
    #[expect(clippy::needless_bitwise_bool, reason = "without branches, the compiler compares many bytes at once")]
    pairs.fold(false, |found, (w, i)| found | ((w | 0x20 == b'w') & (i | 0x20 == b'i')))
}
