//! Statements that end a transaction, or may: recognised by their first words, before they run.
//!
//! Which statements MySQL and MariaDB commit implicitly was tried statement by statement on MariaDB; the rest follows
//! their manuals. On these databases a statement with an unknown first word counts as one that may commit.

use sea_orm::DbBackend;

use super::first_words::PLAIN;
use super::tokens::{Token, Tokens};

/// The effect of a text on the transaction in which it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// It commits, rolls back or begins explicitly, by these words.
    Explicit(String),
    /// The database commits before it runs it.
    Implicit(String),
    /// It may commit: its text does not say.
    Unknown,
}

/// The effect of this text on a transaction; `None` for none. Of several statements the worst counts.
pub(crate) fn control(sql: &str, backend: DbBackend) -> Option<Control> {
    let (control, uncertain) = read_with(sql, backend, Tokens::new(sql, backend));
    if uncertain == 0 { control } else { either_way(sql, backend, control, uncertain) }
}

/// With comments that only some servers run: the worse of the readings with them and without them.
#[cold]
fn either_way(sql: &str, backend: DbBackend, control: Option<Control>, uncertain: usize) -> Option<Control> {
    let is_sure = |control: &Option<Control>| matches!(control, Some(Control::Explicit(_) | Control::Implicit(_)));
    if is_sure(&control) {
        return control;
    }
    let (other, _) = read_with(sql, backend, Tokens::skipping_versions(sql, backend));
    // With several of them a server may run one and skip another.
    let may_be_more = (uncertain > 1).then_some(Control::Unknown);
    if is_sure(&other) { other } else { control.or(other).or(may_be_more) }
}

fn read_with<'a>(sql: &'a str, backend: DbBackend, tokens: Tokens<'a>) -> (Option<Control>, usize) {
    let mut reader = Reader { tokens, held: None, backend };
    // The first words of a single statement say what it is.
    let only_one = !sql.trim_end().trim_end_matches(';').contains(';');
    let mut unknown = None;
    loop {
        match reader.statement() {
            Some(Control::Unknown) => unknown = Some(Control::Unknown),
            Some(refused) => return (Some(refused), reader.tokens.uncertain()),
            None => {}
        }
        if only_one || !reader.pass_to_the_next() {
            return (unknown, reader.tokens.uncertain());
        }
    }
}

/// First words of further statements that never end a transaction of MySQL or MariaDB.
const HARMLESS: [&str; 3] = ["HELP", "USE", "PURGE"];

/// First words of statements that MySQL or MariaDB commit implicitly, whatever follows them.
const COMMITTED: [&str; 25] = [
    "ALTER",
    "BACKUP",
    "CACHE",
    "CHANGE",
    "CHECK",
    "CLONE",
    "CREATE",
    "DROP",
    "FLUSH",
    "GRANT",
    "IMPORT",
    "INSTALL",
    "LOCK",
    "OPTIMIZE",
    "RENAME",
    "REPAIR",
    "RESET",
    "RESTART",
    "REVOKE",
    "SHUTDOWN",
    "START",
    "STOP",
    "TRUNCATE",
    "UNINSTALL",
    "UNLOCK",
];

/// The prefix of the names of the driver's savepoints.
const OF_THE_DRIVER: &str = "_sqlx_savepoint";

struct Reader<'a> {
    tokens: Tokens<'a>,
    /// Peeked and not consumed yet.
    held: Option<Token<'a>>,
    backend: DbBackend,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        self.held.take().or_else(|| self.tokens.next())
    }

    /// Consumes the next token of the same statement.
    fn next_here(&mut self) -> Option<Token<'a>> {
        let token = self.next()?;
        if token == Token::Sign(b';') {
            self.held = Some(token);
            return None;
        }
        Some(token)
    }

    /// Whether one of these words follows in the same statement; reads no more of it than it must.
    fn follows(&mut self, words: &[&str]) -> bool {
        while let Some(token) = self.next_here() {
            if token.is_one_of(words) {
                return true;
            }
        }
        false
    }

    /// Whether one of these kinds of objects follows, after any of the other words.
    fn defines(&mut self, before: &[&str], kinds: &[&str]) -> bool {
        while let Some(token) = self.next_here() {
            if !token.is_one_of(before) {
                return token.is_one_of(kinds);
            }
        }
        false
    }

    /// Skips past the next semicolon; `false` at the end.
    fn pass_to_the_next(&mut self) -> bool {
        while let Some(token) = self.next() {
            if token == Token::Sign(b';') {
                return true;
            }
        }
        false
    }

    fn pass_all(&mut self) {
        while self.next().is_some() {}
    }

    fn statement(&mut self) -> Option<Control> {
        let first = loop {
            match self.next_here()? {
                Token::Sign(b'(') => {}
                token => break token,
            }
        };
        if first.is_one_of(&["SAVEPOINT", "RELEASE"]) {
            return self.savepoint(first);
        }
        match self.backend {
            DbBackend::MySql => self.of_mysql(first),
            DbBackend::Postgres => self.of_postgres(first),
            _ => self.of_sqlite(first),
        }
    }

    /// `SAVEPOINT a`, `RELEASE [SAVEPOINT] a`: harmless, unless the name is one that the driver uses.
    fn savepoint(&mut self, first: Token<'a>) -> Option<Control> {
        let mut name = self.next_here()?.name()?;
        if first.is("RELEASE") && name.eq_ignore_ascii_case("SAVEPOINT") {
            name = self.next_here().and_then(Token::name).unwrap_or(name);
        }
        let begins_as_its = name.get(..OF_THE_DRIVER.len()).is_some_and(|of| of.eq_ignore_ascii_case(OF_THE_DRIVER));
        // MariaDB ignores accents when it compares names.
        let may_be_its = self.backend == DbBackend::MySql && name.starts_with('_') && !name.is_ascii();
        (begins_as_its || may_be_its).then(|| Control::Explicit(format!("{} {name}", words([Some(first), None]))))
    }

    fn of_postgres(&mut self, first: Token<'a>) -> Option<Control> {
        if first.is("PREPARE") {
            let second = self.next_here()?;
            return second.is("TRANSACTION").then(|| Control::Explicit(words([Some(first), Some(second)])));
        }
        if first.is("CREATE") && self.defines(&["OR", "REPLACE"], &["FUNCTION", "PROCEDURE"]) {
            if self.begins_atomic() {
                self.pass_body();
            }
            return None;
        }
        let controls = ["COMMIT", "END", "ROLLBACK", "ABORT", "BEGIN", "START"];
        first.is_one_of(&controls).then(|| self.explicit(first))
    }

    /// Skips past `BEGIN ATOMIC`. An argument may have that name, too, but is in parentheses.
    fn begins_atomic(&mut self) -> bool {
        let (mut parens, mut is_begin) = (0_usize, false);
        while let Some(token) = self.next_here() {
            match token {
                Token::Sign(b'(') => parens += 1,
                Token::Sign(b')') => parens = parens.saturating_sub(1),
                _ if is_begin && token.is("ATOMIC") => return true,
                _ => {}
            }
            is_begin = parens == 0 && token.is("BEGIN");
        }
        false
    }

    fn of_sqlite(&mut self, first: Token<'a>) -> Option<Control> {
        if first.is("CREATE") && self.defines(&["TEMP", "TEMPORARY"], &["TRIGGER"]) && self.follows(&["BEGIN"]) {
            self.pass_body();
            return None;
        }
        first.is_one_of(&["COMMIT", "END", "ROLLBACK", "BEGIN"]).then(|| self.explicit(first))
    }

    /// Skips past the statements of a trigger or a function, and the `END` after the last of them.
    fn pass_body(&mut self) {
        let mut ended = true;
        while let Some(token) = self.next() {
            if ended && token.is("END") {
                return;
            }
            ended = token == Token::Sign(b';');
        }
    }

    fn of_mysql(&mut self, first: Token<'a>) -> Option<Control> {
        if first.is("SET") {
            return self.set();
        }
        let second = self.next_here();
        let second_is = |word| second.is_some_and(|second| second.is(word));
        let explicit = first.is_one_of(&["COMMIT", "ROLLBACK", "XA"])
            || (first.is("BEGIN") && !second_is("NOT"))
            || (first.is("START") && second_is("TRANSACTION"));
        if explicit {
            return Some(Control::Explicit(words([Some(first), second])));
        }
        let implicit = if first.is("ANALYZE") {
            second.is_some_and(|second| second.is_one_of(&["TABLE", "TABLES", "LOCAL", "NO_WRITE_TO_BINLOG"]))
        } else if first.is_one_of(&["CREATE", "DROP"]) {
            !self.is_of_temporary_table(second)
        } else {
            first.is_one_of(&COMMITTED) || (first.is("LOAD") && second_is("INDEX"))
        };
        if implicit {
            Some(Control::Implicit(words([Some(first), second])))
        } else if first.is_one_of(&PLAIN) || first.is_one_of(&HARMLESS) || first.is_one_of(&["CREATE", "DROP"]) {
            None
        } else {
            // The semicolons within a compound statement do not end it.
            self.pass_all();
            Some(Control::Unknown)
        }
    }

    /// After `CREATE` or `DROP`: `[OR REPLACE] TEMPORARY TABLE`, which does not commit, and `PREPARE`, which is no
    /// definition. A temporary sequence does commit.
    fn is_of_temporary_table(&mut self, second: Option<Token<'a>>) -> bool {
        let Some(mut second) = second else { return false };
        if second.is("PREPARE") {
            return true;
        }
        if second.is("OR") {
            self.next_here();
            let Some(third) = self.next_here() else { return false };
            second = third;
        }
        second.is("TEMPORARY") && self.next_here().is_some_and(|third| third.is_one_of(&["TABLE", "TABLES"]))
    }

    /// `SET autocommit`, which commits when it is switched on again; `SET PASSWORD` and `SET DEFAULT ROLE`, which
    /// commit; and `SET STATEMENT … FOR` another statement.
    fn set(&mut self) -> Option<Control> {
        let second = self.next_here()?;
        if second.is("STATEMENT") {
            return if self.follows(&["FOR"]) { self.statement() } else { None };
        }
        if second.is_one_of(&["PASSWORD", "DEFAULT"]) {
            return Some(Control::Implicit(format!("SET {}", words([Some(second), None]))));
        }
        let (mut token, mut at_signs) = (second, 0);
        loop {
            // With one `@` it is a user variable.
            if at_signs != 1 && token.name().is_some_and(|name| name.eq_ignore_ascii_case("autocommit")) {
                return Some(Control::Explicit("SET autocommit".to_owned()));
            }
            at_signs = if token == Token::Sign(b'@') { at_signs + 1 } else { 0 };
            token = self.next_here()?;
        }
    }

    fn explicit(&mut self, first: Token<'a>) -> Control {
        let second = self.next_here();
        Control::Explicit(words([Some(first), second]))
    }
}

/// The words as written. No more than these: what follows may be a password.
fn words(tokens: [Option<Token<'_>>; 2]) -> String {
    let words = tokens.into_iter().flatten().map_while(|token| match token {
        Token::Word(word) => Some(word),
        Token::Quoted(_) | Token::Sign(_) => None,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
