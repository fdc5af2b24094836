//! Statements that run another statement.

use sea_orm::DbBackend;

use super::super::tokens::{Token, Tokens};
use super::names::may_hold;
use super::{CONFORMING, Reader, read};

impl Reader<'_> {
    /// Common table expressions, each of which may write in PostgreSQL, and the statement they are for.
    pub(super) fn with(&mut self) {
        // `recursive` may be the name of the first.
        let is_recursive = self.accept("RECURSIVE");
        let mut is_named =
            is_recursive && self.peek().is_some_and(|token| token.is("AS") || token == Token::Sign(b'('));
        loop {
            let parens = self.parens;
            if !is_named && self.next_of_statement().and_then(Token::name).is_none() {
                return self.not_understood();
            }
            is_named = false;
            if self.accept_sign(b'(') {
                self.pass_parens_to(parens);
            }
            if !self.accept("AS") {
                return self.not_understood();
            }
            self.accept("NOT");
            self.accept("MATERIALIZED");
            if !self.accept_sign(b'(') {
                return self.not_understood();
            }
            if self.backend == DbBackend::Postgres {
                self.statement();
            }
            self.pass_parens_to(parens);
            self.pass_search();
            if !self.accept_sign(b',') {
                return self.statement();
            }
        }
    }

    /// `SEARCH DEPTH FIRST BY a SET b CYCLE a SET c USING d`, and MariaDB's `CYCLE a RESTRICT`.
    fn pass_search(&mut self) {
        if self.accept("SEARCH") {
            while self.next_of_statement().is_some_and(|token| !token.is("SET")) {}
            self.next_of_statement();
        }
        if self.accept("CYCLE") {
            while let Some(token) = self.next_of_statement() {
                if token.is("RESTRICT") {
                    return;
                }
                if token.is("USING") {
                    self.next_of_statement();
                    return;
                }
            }
        }
    }

    /// It runs the statement only with ANALYZE, and never in SQLite.
    pub(super) fn explain(&mut self) {
        let (mut runs, backend) = (false, self.backend);
        match backend {
            DbBackend::Postgres if self.accept_sign(b'(') => {
                let parens = self.parens - 1;
                while let Some(token) = self.next_of_statement() {
                    // A quoted name may be any option.
                    runs |= token.is_one_of(&["ANALYZE", "ANALYSE"]) || matches!(token, Token::Quoted(_));
                    if self.parens <= parens {
                        break;
                    }
                }
            }
            DbBackend::Postgres => {
                while self.peek().is_some_and(|token| token.is_one_of(&["ANALYZE", "ANALYSE", "VERBOSE"])) {
                    runs |= !self.accept("VERBOSE");
                    self.accept_one_of(&["ANALYZE", "ANALYSE"]);
                }
            }
            DbBackend::MySql if self.accept("ANALYZE") => return self.analyze(),
            _ => {}
        }
        if runs {
            self.statement();
        }
    }

    /// `ANALYZE [FORMAT = JSON] statement`, which runs it, and `ANALYZE TABLE`, which does not write.
    pub(super) fn analyze(&mut self) {
        if self.accept("FORMAT") {
            self.accept_sign(b'=');
            self.next_of_statement();
        }
        if !self.peek().is_some_and(|token| token.is_one_of(&["TABLE", "TABLES", "LOCAL", "NO_WRITE_TO_BINLOG"])) {
            self.statement();
        }
    }

    /// `PREPARE q AS statement`, `PREPARE q FROM 'statement'`
    pub(super) fn prepare(&mut self) {
        let is_transaction = self.peek().is_some_and(|token| token.is("TRANSACTION"));
        let Some(name) = self.next_of_statement() else { return self.not_understood() };
        if is_transaction && self.peek() == Some(Token::Sign(b'\'')) {
            return;
        }
        if name.name().is_none() {
            return self.not_understood();
        }
        if self.backend == DbBackend::MySql {
            return if self.accept("FROM") { self.of_string() } else { self.not_understood() };
        }
        let parens = self.parens;
        if self.accept_sign(b'(') {
            self.pass_parens_to(parens);
        }
        if self.accept("AS") { self.statement() } else { self.not_understood() }
    }

    /// `EXECUTE IMMEDIATE 'statement'`; `EXECUTE q` does not say what it runs.
    pub(super) fn execute(&mut self) {
        if self.accept("IMMEDIATE") { self.of_string() } else { self.not_understood() }
    }

    /// A statement in a string, if there is nothing else and it has no escapes.
    fn of_string(&mut self) {
        let is_string = self.next_of_statement() == Some(Token::Sign(b'\''));
        let text = self.tokens.string();
        if !is_string || text.contains(['\\', '\'', '"']) {
            return self.not_understood();
        }
        let is_all = match self.peek() {
            None | Some(Token::Sign(b';')) => true,
            Some(token) => token.is("USING"),
        };
        if !is_all {
            return self.not_understood();
        }
        let reading = read(text, self.backend);
        self.reading.writes.extend(reading.writes);
        if let Some(unread) = reading.unread {
            self.reading.unread.get_or_insert(unread);
        }
    }

    /// `SET STATEMENT a = 1 FOR statement`, and settings that change how texts are read.
    pub(super) fn set(&mut self) {
        let before = self.tokens.rest();
        let runs = self.backend == DbBackend::MySql && self.accept("STATEMENT");
        let (parens, mut sets_mode) = (self.parens, false);
        while let Some(token) = self.next_of_statement() {
            if runs && self.parens == parens && token.is("FOR") {
                return self.statement();
            }
            if self.is_character_set(token) {
                self.not_understood();
            }
            let is_mode = |name: &str| token.name().is_some_and(|of| of.eq_ignore_ascii_case(name));
            sets_mode |= match self.backend {
                DbBackend::MySql => is_mode("sql_mode"),
                DbBackend::Postgres => is_mode("standard_conforming_strings"),
                _ => false,
            };
        }
        let text = &before[..before.len() - self.tokens.rest().len()];
        if runs || (sets_mode && changes_reading(text, self.backend)) {
            self.not_understood();
        }
    }

    /// `NAMES a`, `CHARACTER SET a`, `character_set_client = a`, `client_encoding TO a`: whether it selects, or may
    /// select, a character set in which some characters contain the bytes of quotes or backslashes.
    fn is_character_set(&mut self, token: Token<'_>) -> bool {
        let is_mysql = self.backend == DbBackend::MySql;
        let is_words = token.is_one_of(&["NAMES", "CHARSET"]) || (token.is("CHARACTER") && self.accept("SET"));
        let is_variable = token.name().is_some_and(|name| {
            name.eq_ignore_ascii_case(if is_mysql { "character_set_client" } else { "client_encoding" })
        });
        if self.backend == DbBackend::Sqlite || !(is_words || is_variable) {
            return false;
        }
        self.accept_sign(b':');
        let is_set = self.accept_sign(b'=') || self.accept("TO");
        if is_variable && !is_set {
            // In MySQL this reads the value: `SET @old = @@character_set_client`.
            return !is_mysql;
        }
        let is_saved = self.accept_sign(b'@');
        let Some(value) = self.next_of_statement() else { return true };
        let value = value.name().unwrap_or_else(|| self.tokens.string().into()).to_ascii_lowercase();
        let known: &[&str] = match (is_saved, is_mysql) {
            // Dumps restore it this way at their end.
            (true, _) => &["old_", "saved_"],
            (false, true) => &["utf8", "latin", "ascii", "binary", "cp12", "koi8"],
            (false, false) => &["utf8", "utf-8", "unicode", "latin", "sql_ascii", "win12", "koi8"],
        };
        !known.iter().any(|known| value.starts_with(known))
    }

    /// Some pragmas change the schema.
    pub(super) fn pragma(&mut self) {
        while let Some(token) = self.next_of_statement() {
            if token.name().is_some_and(|name| name.eq_ignore_ascii_case("writable_schema")) {
                self.not_understood();
            }
        }
    }
}

/// Whether a text of PostgreSQL calls `set_config` to change how strings are read, or may do so.
pub(super) fn may_set_config(sql: &str) -> bool {
    // A name with escapes has `&`.
    if !may_hold(sql, *b"nfig") && !sql.as_bytes().contains(&b'&') {
        return false;
    }
    let mut tokens = Tokens::new(sql, DbBackend::Postgres);
    while let Some(token) = tokens.next() {
        if !token.name().is_some_and(|name| name.eq_ignore_ascii_case("set_config")) {
            continue;
        }
        if tokens.next() != Some(Token::Sign(b'(')) {
            continue;
        }
        let is_string = tokens.next() == Some(Token::Sign(b'\''));
        let setting = tokens.string().to_ascii_lowercase();
        // A string may continue on a further line.
        let may_be = |name: &str| name.starts_with(&setting) || setting.contains('\\');
        if !is_string || tokens.next() != Some(Token::Sign(b',')) || may_be(CONFORMING) || may_be("client_encoding") {
            return true;
        }
    }
    false
}

/// Whether such a mode changes how strings and names are read, or may do so.
fn changes_reading(text: &str, backend: DbBackend) -> bool {
    const MODES: [&str; 7] = ["ansi", "backslash", "oracle", "mssql", "db2", "maxdb", "postgresql"];
    let text = text.to_ascii_lowercase();
    if backend == DbBackend::Postgres {
        return !["on", "true", "default"].iter().any(|value| text.trim_end_matches(['\'', ';', ' ']).ends_with(value));
    }
    // Dumps restore it this way at their end.
    let text = text.replace("@old_sql_mode", "").replace("@@", "");
    MODES.iter().any(|mode| text.contains(mode)) || text.contains(|byte: char| byte == '@' || byte.is_ascii_digit())
}
