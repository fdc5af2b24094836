//! Statements that define: few of them write; some contain statements that do not run now.

use std::borrow::Cow;

use sea_orm::DbBackend;

use super::super::tokens::Token;
use super::{CONFORMING, Reader};

impl Reader<'_> {
    /// The body of a trigger or a procedure does not run now, and has semicolons of its own.
    pub(super) fn create(&mut self) {
        let mut replaces = false;
        // Nothing but `OR REPLACE` was read.
        let mut is_kind = true;
        while let Some(token) = self.next_of_statement() {
            let is_routine = token.is_one_of(&["PROCEDURE", "FUNCTION"]);
            if is_routine || token.is_one_of(&["TRIGGER", "EVENT", "PACKAGE"]) {
                return match (self.backend, token) {
                    (DbBackend::Sqlite, _) => self.pass_body(false),
                    (DbBackend::MySql, Token::Word(kind)) => self.pass_mysql_body(kind),
                    // `CREATE RULE function AS …` has none.
                    _ if is_routine && is_kind => self.pass_atomic_body(),
                    _ => {}
                };
            }
            is_kind &= token.is_one_of(&["OR", "REPLACE"]);
            replaces |= token.is("REPLACE");
            if token.is("TABLE") && replaces && self.backend == DbBackend::MySql {
                return self.table("REPLACE");
            }
            if token.is("TABLE") {
                return self.created_table();
            }
            if self.backend == DbBackend::Postgres && token.is("MATERIALIZED") {
                return self.writes_in_parentheses();
            }
            if token.is_one_of(&["INDEX", "VIEW"]) {
                return;
            }
        }
    }

    /// `CREATE TABLE a [(…)] [AS] SELECT …` writes the table that it makes.
    fn created_table(&mut self) {
        if self.accept("IF") {
            self.accept("NOT");
            self.accept("EXISTS");
        }
        let Some(name) = self.name() else { return };
        let mut ahead = self.ahead();
        let (base, mut before) = (ahead.parens, None);
        let is_filled = loop {
            let Some(token) = ahead.next_of_statement() else { break false };
            let is_behind_paren = before == Some(Token::Sign(b'('));
            let is_outside = ahead.parens == base;
            let begins_query = is_outside && token.is("AS")
                || token.is("SELECT")
                || (is_outside || is_behind_paren)
                    && self.backend == DbBackend::MySql
                    && token.is_one_of(&["VALUES", "TABLE"]);
            if begins_query && before != Some(Token::Sign(b'.')) {
                break true;
            }
            before = Some(token);
        };
        if is_filled {
            self.write("CREATE", name);
            if self.backend == DbBackend::Postgres {
                self.writes_in_parentheses();
            }
        }
    }

    /// In PostgreSQL, `DROP TABLE a, b` deletes the rows of the tables of which they are partitions or heirs. That the
    /// table itself is dropped is no write of it.
    pub(super) fn dropped(&mut self) {
        if self.accept("OWNED") {
            return self.not_understood();
        }
        if self.accept("SCHEMA") {
            while let Some(token) = self.next_of_statement() {
                if token.is("CASCADE") {
                    self.not_understood();
                }
            }
            return;
        }
        self.accept("FOREIGN");
        if !self.accept("TABLE") {
            return;
        }
        if self.accept("IF") {
            self.accept("EXISTS");
        }
        loop {
            let Some((schema, table)) = self.name() else { return self.not_understood() };
            let dropped = self.as_stored("DROP", (schema, table));
            self.reading.drops.push(dropped);
            if !self.accept_sign(b',') {
                return;
            }
        }
    }

    /// `ALTER TABLE a RENAME TO b` and other statements that change which rows a name refers to.
    pub(super) fn alter(&mut self) {
        let mut ignores = false;
        let is_index = loop {
            let Some(token) = self.next_of_statement() else { return };
            // PostgreSQL also renames tables by this statement for indexes.
            let is_index = self.backend == DbBackend::Postgres && token.is("INDEX");
            if is_index || token.is_one_of(&["TABLE", "VIEW"]) {
                break is_index;
            }
            ignores |= token.is("IGNORE");
            let is_setting = |name: std::borrow::Cow<'_, str>| name.eq_ignore_ascii_case(CONFORMING);
            if self.backend == DbBackend::Postgres && token.name().is_some_and(is_setting) {
                return self.not_understood();
            }
            if token.is_one_of(&["SCHEMA", "DATABASE"]) {
                while let Some(token) = self.next_of_statement() {
                    if token.is("RENAME") {
                        return self.not_understood();
                    }
                }
                return;
            }
        };
        if self.accept("IF") {
            self.accept("EXISTS");
        }
        if !is_index {
            self.accept("ONLY");
        }
        let Some(table) = self.name() else { return };
        if ignores && self.backend == DbBackend::MySql {
            // It deletes rows with a duplicate of the new key.
            self.write("ALTER", table.clone());
        }
        let mut before = None;
        let mut sets_type = false;
        while let Some(token) = self.next_of_statement() {
            let verb = if token.is("RENAME") { "RENAME" } else { "ALTER" };
            let is_partition = self.peek().is_some_and(|token| token.is("PARTITION"));
            if verb == "RENAME" {
                if self.accept_one_of(&["COLUMN", "INDEX", "KEY", "CONSTRAINT"]) {
                    continue;
                }
                let is_behind_to = self.accept("TO") || self.accept("AS") || self.accept_sign(b'=');
                let is_mysql = self.backend == DbBackend::MySql;
                // `RENAME a TO b` renames a column.
                if !is_behind_to && !is_mysql {
                    continue;
                }
                self.write(verb, table.clone());
                self.table(verb);
            } else if token.is_one_of(&["ATTACH", "DETACH"]) && is_partition {
                self.next();
                self.write(verb, table.clone());
                self.table(verb);
            } else if token.is_one_of(&["DROP", "TRUNCATE"]) && is_partition {
                self.write("TRUNCATE", table.clone());
            } else if token.is_one_of(&["EXCHANGE", "CONVERT"])
                && self.peek().is_some_and(|token| token.is_one_of(&["PARTITION", "TABLE"]))
            {
                self.write(verb, table.clone());
                while !self.accept("TABLE") {
                    if self.next_of_statement().is_none() {
                        return self.not_understood();
                    }
                }
                self.table(verb);
            } else if token.is("INHERIT") && self.backend == DbBackend::Postgres {
                self.write(verb, table.clone());
                self.table(verb);
            } else if token.is_one_of(&["DISCARD", "IMPORT"]) && self.accept("TABLESPACE") {
                self.write(verb, table.clone());
            } else if sets_type && token.is("USING") {
                // `ALTER COLUMN a TYPE int USING b`
                sets_type = false;
                self.write(verb, table.clone());
            } else if token.is_one_of(&["TYPE", "EXPRESSION"]) && self.backend == DbBackend::Postgres {
                sets_type = true;
                if before.is_some_and(|before: Token<'_>| before.is("SET")) && token.is("EXPRESSION") {
                    self.write(verb, table.clone());
                }
            } else if token == Token::Sign(b',') && self.parens == 0 {
                sets_type = false;
            } else if token.is("SCHEMA") && before.is_some_and(|before: Token<'_>| before.is("SET")) {
                let schema = self.next_of_statement().and_then(Token::name);
                self.write("RENAME", table.clone());
                self.write("RENAME", (schema, Cow::clone(&table.1)));
            }
            before = Some(token);
        }
    }
}
