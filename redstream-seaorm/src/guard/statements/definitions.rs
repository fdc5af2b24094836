//! Statements that define: few of them write, some hold statements that do not run now.

use std::borrow::Cow;

use sea_orm::DbBackend;

use super::super::tokens::Token;
use super::Reader;

impl Reader<'_> {
    /// What is within the body of a trigger or a procedure does not run now, and has semicolons of its own.
    pub(super) fn create(&mut self) {
        let mut replaces = false;
        while let Some(token) = self.next_of_statement() {
            if token.is_one_of(&["TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"]) {
                return match self.backend {
                    DbBackend::Sqlite => self.pass_body(false),
                    DbBackend::Postgres => self.pass_atomic_body(),
                    _ => self.pass_mysql_body(),
                };
            }
            replaces |= token.is("REPLACE");
            if token.is("TABLE") && replaces && self.backend == DbBackend::MySql {
                return self.table("REPLACE");
            }
            if self.backend == DbBackend::Postgres && token.is_one_of(&["TABLE", "MATERIALIZED"]) {
                return self.writes_in_parentheses();
            }
            if token.is_one_of(&["TABLE", "INDEX", "VIEW"]) {
                return;
            }
        }
    }

    /// A body that ends with an `END` of its own behind the semicolon of its last statement. `is_begun`: its first words were read.
    fn pass_body(&mut self, is_begun: bool) {
        let mut may_end = is_begun;
        while let Some(token) = self.next() {
            if may_end && token.is("END") && matches!(self.peek(), None | Some(Token::Sign(b';'))) {
                return;
            }
            may_end = token == Token::Sign(b';');
        }
        self.not_understood();
    }

    /// PostgreSQL's body is a string, or stands between `BEGIN ATOMIC` and `END`.
    fn pass_atomic_body(&mut self) {
        while let Some(token) = self.next_of_statement() {
            if token.is("BEGIN") && self.took("ATOMIC") {
                return self.pass_body(true);
            }
        }
    }

    /// One statement, or a block. Blocks and `CASE` end with `END`, others with `END IF` and the like.
    fn pass_mysql_body(&mut self) {
        let mut depth = 0_usize;
        let mut before = None;
        while let Some(token) = self.peek() {
            if token == Token::Sign(b';') && depth == 0 {
                return;
            }
            self.next();
            if token.is("BEGIN") {
                // Otherwise it may be the name of a column, which ends nowhere.
                if before.is_some_and(|before: Token<'_>| !may_stand_before_a_block(before)) {
                    return self.not_understood();
                }
                depth += 1;
            } else if token.is("CASE") {
                depth += 1;
            } else if token.is("END") && !self.took_one_of(&["IF", "LOOP", "WHILE", "REPEAT", "FOR"]) {
                self.took("CASE");
                depth = depth.saturating_sub(1);
            }
            before = Some(token);
        }
        if depth > 0 {
            self.not_understood();
        }
    }

    /// `ALTER TABLE a RENAME TO b` and what else changes the rows that a name stands for.
    pub(super) fn alter(&mut self) {
        loop {
            let Some(token) = self.next_of_statement() else { return };
            if token.is_one_of(&["TABLE", "VIEW"]) {
                break;
            }
            if token.is_one_of(&["SCHEMA", "DATABASE"]) {
                while let Some(token) = self.next_of_statement() {
                    if token.is("RENAME") {
                        return self.not_understood();
                    }
                }
                return;
            }
        }
        if self.took("IF") {
            self.took("EXISTS");
        }
        self.took("ONLY");
        let Some(table) = self.name() else { return };
        let mut before = None;
        while let Some(token) = self.next_of_statement() {
            let verb = if token.is("RENAME") { "RENAME" } else { "ALTER" };
            let is_partition = self.peek().is_some_and(|token| token.is("PARTITION"));
            if verb == "RENAME" {
                if self.took_one_of(&["COLUMN", "INDEX", "KEY", "CONSTRAINT"]) {
                    continue;
                }
                let is_behind_to = self.took("TO") || self.took("AS") || self.took_sign(b'=');
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
                while !self.took("TABLE") {
                    if self.next_of_statement().is_none() {
                        return self.not_understood();
                    }
                }
                self.table(verb);
            } else if token.is("SCHEMA") && before.is_some_and(|before: Token<'_>| before.is("SET")) {
                let schema = self.next_of_statement().and_then(Token::name);
                self.write("RENAME", table.clone());
                self.write("RENAME", (schema, Cow::clone(&table.1)));
            }
            before = Some(token);
        }
    }
}

/// Whether a statement begins behind it.
fn may_stand_before_a_block(token: Token<'_>) -> bool {
    const NOT: [&str; 14] =
        ["SELECT", "FROM", "JOIN", "INTO", "UPDATE", "SET", "WHERE", "AND", "OR", "ON", "BY", "AS", "NOT", "CALL"];
    match token {
        Token::Word(_) => !token.is_one_of(&NOT),
        Token::Quoted(_) => true,
        Token::Sign(sign) => matches!(sign, b';' | b')' | b':' | b'\''),
    }
}
