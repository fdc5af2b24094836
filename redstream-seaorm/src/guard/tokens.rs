//! The words of a text of SQL, without what strings and comments hold.

use sea_orm::DbBackend;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A word as it stands: a keyword, or a name.
    Word(&'a str),
    /// A quoted name, without its quotes.
    Quoted(&'a str),
    /// Anything else of one byte; a string is its quote.
    Sign(u8),
}

impl<'a> Token<'a> {
    pub(super) fn is(self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    pub(super) fn is_one_of(self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(keyword))
    }

    /// The name that it may be.
    pub(super) fn name(self) -> Option<&'a str> {
        match self {
            Self::Word(name) | Self::Quoted(name) => Some(name),
            Self::Sign(_) => None,
        }
    }
}

/// Reads a text token by token, and allocates nothing.
pub(super) struct Tokens<'a> {
    sql: &'a str,
    at: usize,
    backend: DbBackend,
    /// Within what looks like a comment and runs.
    executable: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(sql: &'a str, backend: DbBackend) -> Self {
        Self { sql, at: 0, backend, executable: false }
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.sql.as_bytes().get(self.at + ahead).copied()
    }

    /// Goes behind the next `end`, or to the end of the text; returns what was passed, without `end`.
    fn pass(&mut self, from: usize, end: &str) -> &'a str {
        let rest = self.sql.get(from..).unwrap_or_default();
        let found = rest.find(end);
        self.at = found.map_or(self.sql.len(), |found| from + found + end.len());
        &rest[..found.unwrap_or(rest.len())]
    }

    /// Goes behind a string or a quoted name. A doubled quote ends one and begins another, which comes to the same.
    fn pass_quoted(&mut self, quote: u8) -> &'a str {
        let begin = self.at + 1;
        self.at = begin;
        let escapes = quote != b'`' && self.has_escapes(begin - 1);
        while let Some(byte) = self.byte(0) {
            if byte == quote {
                break;
            }
            self.at += if escapes && byte == b'\\' { 2 } else { 1 };
        }
        self.at = self.at.min(self.sql.len());
        let quoted = self.sql.get(begin..self.at).unwrap_or_default();
        self.at = (self.at + 1).min(self.sql.len());
        quoted
    }

    /// Whether a backslash escapes in the string that begins there: always in `MySQL`, in PostgreSQL in `E'…'`.
    fn has_escapes(&self, begin: usize) -> bool {
        let bytes = self.sql.as_bytes();
        let marked = begin.checked_sub(1).is_some_and(|mark| bytes[mark].eq_ignore_ascii_case(&b'e'));
        let alone = begin.checked_sub(2).is_none_or(|before| !is_of_word(bytes[before]));
        match self.backend {
            DbBackend::MySql => true,
            DbBackend::Postgres => bytes[begin] == b'\'' && marked && alone,
            _ => false,
        }
    }

    /// Whether a comment begins here that goes to the end of the line. In `MySQL` `5--1` is six.
    fn is_line_comment(&self) -> bool {
        match (self.byte(0), self.byte(1), self.byte(2)) {
            (Some(b'-'), Some(b'-'), next) => {
                self.backend != DbBackend::MySql || next.is_none_or(|next| next <= b' ' || next == 0x7f)
            }
            (Some(b'#'), ..) => self.backend == DbBackend::MySql,
            _ => false,
        }
    }

    /// Goes behind a comment; in PostgreSQL they nest. What `MySQL` runs, `/*! … */`, is no comment, nor is what MariaDB runs,
    /// `/*M! … */`.
    fn pass_comment(&mut self) {
        self.at += 2;
        let mark = usize::from(self.byte(0) == Some(b'M'));
        if self.backend == DbBackend::MySql && self.byte(mark) == Some(b'!') {
            self.executable = true;
            self.at += mark + 1;
            while self.byte(0).is_some_and(|byte| byte.is_ascii_digit()) {
                self.at += 1;
            }
            return;
        }
        let mut depth = 1;
        while depth > 0 && self.at < self.sql.len() {
            match (self.byte(0), self.byte(1)) {
                (Some(b'*'), Some(b'/')) => (depth, self.at) = (depth - 1, self.at + 2),
                (Some(b'/'), Some(b'*')) if self.backend == DbBackend::Postgres => {
                    (depth, self.at) = (depth + 1, self.at + 2);
                }
                _ => self.at += 1,
            }
        }
    }

    /// PostgreSQL's `$$…$$` and `$tag$…$tag$`; not `$1`.
    fn pass_dollar_quoted(&mut self) -> bool {
        let rest = &self.sql[self.at + 1..];
        let tag = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let is_tag = !rest.as_bytes().first().is_some_and(u8::is_ascii_digit);
        if self.backend != DbBackend::Postgres || !is_tag || rest.as_bytes().get(tag) != Some(&b'$') {
            return false;
        }
        let sql = self.sql;
        let mark = &sql[self.at..self.at + tag + 2];
        self.pass(self.at + mark.len(), mark);
        true
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let (byte, next) = (self.byte(0)?, self.byte(1));
            match byte {
                _ if self.is_line_comment() => drop(self.pass(self.at, "\n")),
                b'*' if self.executable && next == Some(b'/') => (self.executable, self.at) = (false, self.at + 2),
                b'/' if next == Some(b'*') => self.pass_comment(),
                b'\'' => {
                    self.pass_quoted(byte);
                    return Some(Token::Sign(byte));
                }
                b'"' | b'`' => return Some(Token::Quoted(self.pass_quoted(byte))),
                b'[' if self.backend == DbBackend::Sqlite => {
                    return Some(Token::Quoted(self.pass(self.at + 1, "]")));
                }
                b'$' if self.pass_dollar_quoted() => {}
                _ if is_of_word(byte) => {
                    let begin = self.at;
                    while self.byte(0).is_some_and(|byte| is_of_word(byte) || byte == b'$') {
                        self.at += 1;
                    }
                    return Some(Token::Word(&self.sql[begin..self.at]));
                }
                _ => {
                    self.at += 1;
                    if !byte.is_ascii_whitespace() {
                        return Some(Token::Sign(byte));
                    }
                }
            }
        }
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
