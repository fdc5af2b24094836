//! Which tables a text of SQL writes. No parser: it looks at the heads of the statements alone.

use sea_orm::DbBackend;

use super::tokens::{Token, Tokens};

/// One table that a statement writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Write<'a> {
    /// `INSERT`, `UPDATE`, …
    pub(crate) verb: &'static str,
    pub(crate) schema: Option<&'a str>,
    pub(crate) table: &'a str,
}

const VERBS: [&str; 8] = ["INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "TRUNCATE", "COPY", "LOAD"];

/// What may stand between a verb and its table.
const BEFORE_THE_TABLE: [&str; 17] = [
    "INTO",
    "FROM",
    "ONLY",
    "TABLE",
    "IGNORE",
    "LOW_PRIORITY",
    "DELAYED",
    "HIGH_PRIORITY",
    "QUICK",
    "OR",
    "REPLACE",
    "ROLLBACK",
    "ABORT",
    "FAIL",
    "CONCURRENT",
    "LOCAL",
    "INFILE",
];

/// All tables that the statements of this text write, as far as their text says: not what triggers, functions and foreign keys
/// write besides.
pub(crate) fn writes(sql: &str, backend: DbBackend) -> Vec<Write<'_>> {
    let mut statements = Statements { tokens: Tokens::new(sql, backend), held: None, backend, found: Vec::new() };
    // A text of one statement says with its first word what it is.
    let only_one = !sql.trim_end().trim_end_matches(';').contains(';');
    loop {
        statements.statement();
        if only_one || !statements.pass_to_the_next() {
            return statements.found;
        }
    }
}

struct Statements<'a> {
    tokens: Tokens<'a>,
    /// Read and not used yet.
    held: Option<Token<'a>>,
    backend: DbBackend,
    found: Vec<Write<'a>>,
}

impl<'a> Statements<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        self.held.take().or_else(|| self.tokens.next())
    }

    /// Reads the next token without using it up.
    fn peek(&mut self) -> Option<Token<'a>> {
        self.held = self.next();
        self.held
    }

    /// Goes behind the next semicolon; `false` at the end.
    fn pass_to_the_next(&mut self) -> bool {
        while let Some(token) = self.next() {
            if token == Token::Sign(b';') {
                return true;
            }
        }
        false
    }

    fn statement(&mut self) {
        let Some(first) = self.next() else { return };
        if first.is("WITH") {
            self.with();
        } else if first.is("EXPLAIN") || first.is("ANALYZE") {
            self.explain(first.is("ANALYZE"));
        } else if first.is("CREATE") {
            self.create();
        } else if first == Token::Sign(b';') {
            self.held = Some(first);
        } else {
            self.written_by(first);
        }
    }

    /// Common table expressions, each of which may write in PostgreSQL, and the statement they are for.
    fn with(&mut self) {
        let mut depth = 0;
        let mut opened = false;
        while let Some(token) = self.next() {
            let begins = opened;
            opened = token == Token::Sign(b'(');
            match token {
                Token::Sign(b'(') => depth += 1,
                Token::Sign(b')') => depth -= 1,
                Token::Sign(b';') => {
                    self.held = Some(token);
                    return;
                }
                // Behind `WITH x AS (` a statement begins, and so it does behind the last of these.
                Token::Word(_) if begins => self.written_by(token),
                Token::Word(_) if depth == 0 && begins_a_statement(token) => return self.written_by(token),
                _ => {}
            }
        }
    }

    /// It runs the statement where it is to be analyzed.
    fn explain(&mut self, mut analyze: bool) {
        while let Some(token) = self.peek() {
            analyze |= token.is("ANALYZE");
            if token.is("WITH") && analyze {
                self.held = None;
                return self.with();
            } else if token.is_one_of(&VERBS) && analyze {
                self.held = None;
                return self.written_by(token);
            } else if token == Token::Sign(b';') || token.is("SELECT") {
                return;
            }
            self.held = None;
        }
    }

    /// What is within the body of a trigger or a procedure does not run now, and has semicolons of its own.
    fn create(&mut self) {
        while let Some(token) = self.peek() {
            if token.is_one_of(&["TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"]) {
                while self.next().is_some() {}
            } else if token == Token::Sign(b';') || token.is_one_of(&["TABLE", "INDEX", "VIEW"]) {
                return;
            }
            self.held = None;
        }
    }

    fn written_by(&mut self, verb: Token<'a>) {
        let Some(verb) = VERBS.into_iter().find(|known| verb.is(known)) else { return };
        match verb {
            "TRUNCATE" => self.each_of_a_list(verb, false),
            "COPY" => self.copied(),
            "LOAD" => self.loaded(),
            // The only ones that write several tables in one statement are those of MySQL.
            "UPDATE" if self.backend == DbBackend::MySql => self.each_of_a_list(verb, true),
            "DELETE" if self.backend == DbBackend::MySql => self.deleted(),
            _ => {
                self.table(verb);
            }
        }
    }

    /// The table behind a verb, noted as written; `false` where there is none.
    fn table(&mut self, verb: &'static str) -> bool {
        let Some((schema, table)) = self.name() else { return false };
        self.found.push(Write { verb, schema, table });
        true
    }

    /// `[schema .] table`, behind `INTO`, `ONLY` and the like.
    fn name(&mut self) -> Option<(Option<&'a str>, &'a str)> {
        while self.peek()?.is_one_of(&BEFORE_THE_TABLE) {
            self.held = None;
        }
        let mut table = self.peek()?.name()?;
        self.held = None;
        let mut schema = None;
        while self.peek() == Some(Token::Sign(b'.')) {
            self.held = None;
            let token = self.next()?;
            if token == Token::Sign(b'*') {
                break;
            }
            schema = Some(table);
            table = token.name()?;
        }
        Some((schema, table))
    }

    /// `a, b`, and with joins `a JOIN b ON …`, up to `SET`.
    fn each_of_a_list(&mut self, verb: &'static str, joins: bool) {
        if !self.table(verb) {
            return;
        }
        let mut depth = 0;
        while let Some(token) = self.peek() {
            match token {
                Token::Sign(b';') => return,
                Token::Sign(b'(') => depth += 1,
                Token::Sign(b')') => depth -= 1,
                Token::Word(_) if joins && token.is("SET") => return,
                _ => {}
            }
            self.held = None;
            let another = token == Token::Sign(b',') || (joins && token.is("JOIN"));
            if another && depth == 0 && !self.table(verb) {
                return;
            }
        }
    }

    /// `DELETE FROM a …`, `DELETE a, b FROM a JOIN b …` and `DELETE FROM a, b USING a JOIN b …`, where they may be aliases.
    fn deleted(&mut self) {
        let from = self.found.len();
        if !self.table("DELETE") {
            return;
        }
        while let Some(token) = self.peek() {
            match token {
                Token::Sign(b',') => {
                    self.held = None;
                    self.table("DELETE");
                }
                Token::Sign(b'.' | b'*') => self.held = None,
                _ if token.is_one_of(&["FROM", "USING"]) => return self.resolve_aliases(from),
                _ => return,
            }
        }
    }

    /// `FROM cities AS c`: what was taken for a table `c` is `cities`.
    fn resolve_aliases(&mut self, from: usize) {
        while let Some(token) = self.peek() {
            if token == Token::Sign(b';') || token.is_one_of(&["WHERE", "ORDER", "LIMIT"]) {
                return;
            }
            self.held = None;
            if token.is_one_of(&["FROM", "USING", "JOIN"]) || token == Token::Sign(b',') {
                let Some((schema, table)) = self.name() else { return };
                if self.peek().is_some_and(|token| token.is("AS")) {
                    self.held = None;
                }
                let Some(alias) = self.peek().and_then(Token::name) else { continue };
                for write in self.found[from..].iter_mut().filter(|write| write.table == alias) {
                    (write.schema, write.table) = (schema, table);
                }
            }
        }
    }

    /// `COPY cities FROM …` writes, `COPY cities TO …` reads.
    fn copied(&mut self) {
        let Some((schema, table)) = self.name() else { return };
        let mut depth = 0;
        while let Some(token) = self.peek() {
            match token {
                Token::Sign(b'(') => depth += 1,
                Token::Sign(b')') => depth -= 1,
                _ if depth == 0 => {
                    if token.is("FROM") {
                        self.found.push(Write { verb: "COPY", schema, table });
                    }
                    return;
                }
                _ => {}
            }
            self.held = None;
        }
    }

    /// `LOAD DATA … INTO TABLE cities …`
    fn loaded(&mut self) {
        while let Some(token) = self.next() {
            if token.is("INTO") {
                self.table("LOAD");
                return;
            }
        }
    }
}

fn begins_a_statement(token: Token<'_>) -> bool {
    token.is_one_of(&VERBS) || token.is_one_of(&["SELECT", "VALUES", "TABLE"])
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
