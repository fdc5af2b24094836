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

    /// A body that ends with an `END` of its own after the semicolon of its last statement. `is_begun`: its first words
    /// were read.
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

    /// PostgreSQL's body is a string, or is between `BEGIN ATOMIC` and `END`. An argument may be called `begin`, too.
    fn pass_atomic_body(&mut self) {
        while let Some(token) = self.next_of_statement() {
            if token.is("BEGIN") && self.parens == 0 && self.accept("ATOMIC") {
                return self.pass_body(true);
            }
        }
    }

    /// One statement, or a block. Blocks and `CASE` end with `END`, others with `END IF` and the like. If a `BEGIN` may
    /// be a name, all that follows is read as if it ran.
    fn pass_mysql_body(&mut self, kind: &str) {
        let mut place = Place::new(kind);
        let (mut depth, mut cases) = (0_usize, 0_usize);
        while let Some(token) = self.peek() {
            if token == Token::Sign(b';') && depth == 0 {
                return;
            }
            self.next();
            if token.is("BEGIN") {
                if cases > 0 || self.parens > 0 || !place.is_of_block() {
                    return self.not_understood();
                }
                depth += 1;
            } else if token.is("CASE") {
                if place.is_first() {
                    depth += 1;
                } else {
                    cases += 1;
                }
            } else if token.is("END") {
                if cases > 0 {
                    cases -= 1;
                } else if !self.accept_one_of(&["IF", "LOOP", "WHILE", "REPEAT", "FOR"]) {
                    self.accept("CASE");
                    depth = depth.saturating_sub(1);
                }
            }
            place.pass(token, self.parens + cases);
        }
        if depth > 0 {
            self.not_understood();
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

/// The position of a reader in a routine of MariaDB.
enum Place {
    /// Before this word, after which a statement may begin; `)` is that of the arguments.
    Header(&'static str),
    /// After what precedes a statement: the end of another one, `THEN`, a label.
    First,
    /// Inside a statement.
    Inside,
    /// In a statement that has others within: `IF a THEN …`, `FOR a IN b DO …`.
    Compound,
    /// After `DECLARE`.
    Declare,
    /// Before a condition of a handler, whose name may be any word.
    Condition,
    /// After the arguments of a routine, or after `DECLARE … HANDLER`: words that begin no statement may follow.
    BeforeFirst,
}

impl Place {
    fn new(kind: &str) -> Self {
        match kind.len() {
            5 => Self::Header("DO"),
            7 if kind.eq_ignore_ascii_case("TRIGGER") => Self::Header("ROW"),
            _ => Self::Header(")"),
        }
    }

    /// Whether a statement may begin here.
    fn is_first(&self) -> bool {
        matches!(self, Self::First)
    }

    /// Whether a `BEGIN` here begins a block and is no name.
    fn is_of_block(&self) -> bool {
        matches!(self, Self::First | Self::BeforeFirst)
    }

    /// Advances past a token; `nested`: how many parentheses and expressions enclose it.
    fn pass(&mut self, token: Token<'_>, nested: usize) {
        const BEFORE: [&str; 5] = ["THEN", "ELSE", "DO", "LOOP", "REPEAT"];
        const COMPOUND: [&str; 8] = ["IF", "ELSEIF", "CASE", "WHEN", "WHILE", "FOR", "UNTIL", "END"];
        let is_plain = nested == 0;
        *self = match self {
            Self::Header(")") if is_plain && token == Token::Sign(b')') => Self::BeforeFirst,
            Self::Header("FOR") if token.is("FOR") => Self::Condition,
            Self::Header(word) if token.is(word) => Self::BeforeFirst,
            Self::Header(_) => return,
            _ if is_plain && (token == Token::Sign(b';') || token.is("BEGIN")) => Self::First,
            Self::First if token.is("DECLARE") => Self::Declare,
            Self::First if token.is_one_of(&COMPOUND) => Self::Compound,
            Self::First if token.is_one_of(&["ELSE", "LOOP", "REPEAT"]) => return,
            Self::Compound if is_plain && token.is_one_of(&BEFORE) => Self::First,
            Self::Declare if token.is("HANDLER") => Self::Header("FOR"),
            Self::Condition => Self::BeforeFirst,
            Self::BeforeFirst if token == Token::Sign(b',') => Self::Condition,
            Self::Compound | Self::Declare => return,
            // A label.
            Self::Inside | Self::BeforeFirst if token == Token::Sign(b':') => Self::First,
            Self::BeforeFirst if !begins_statement(token) => return,
            _ => Self::Inside,
        };
    }
}

/// Whether such a word may begin a statement of a routine.
fn begins_statement(token: Token<'_>) -> bool {
    const HEADS: [&str; 50] = [
        "IF",
        "CASE",
        "WHILE",
        "LOOP",
        "REPEAT",
        "FOR",
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "REPLACE",
        "WITH",
        "VALUES",
        "TABLE",
        "LOAD",
        "DO",
        "SHOW",
        "DESCRIBE",
        "DESC",
        "EXPLAIN",
        "SAVEPOINT",
        "RELEASE",
        "PREPARE",
        "DEALLOCATE",
        "EXECUTE",
        "HANDLER",
        "CHECKSUM",
        "GET",
        "SIGNAL",
        "RESIGNAL",
        "KILL",
        "SET",
        "ANALYZE",
        "CALL",
        "RETURN",
        "ALTER",
        "CREATE",
        "DROP",
        "RENAME",
        "TRUNCATE",
        "LOCK",
        "OPTIMIZE",
        "CHECK",
        "REPAIR",
        "OPEN",
        "CLOSE",
        "FETCH",
        "LEAVE",
        "ITERATE",
        "ROLLBACK",
    ];
    token.is_one_of(&HEADS)
}
