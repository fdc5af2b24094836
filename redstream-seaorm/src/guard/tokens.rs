//! The words of a text of SQL, without the content of strings and comments.
//!
//! Texts are read as a database reads them by default: in MariaDB and `MySQL` without the modes `ANSI_QUOTES` and
//! `NO_BACKSLASH_ESCAPES`, in PostgreSQL with `standard_conforming_strings`.

mod comments;
mod names;
mod strings;

use std::borrow::Cow;

use sea_orm::DbBackend;

pub(super) use self::names::Quoted;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A word as written: a keyword, a name or a number.
    Word(&'a str),
    /// A quoted name; in SQLite also a string, which may be used as a name there.
    Quoted(Quoted<'a>),
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

    /// The name, if this can be one.
    pub(super) fn name(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Word(name) => Some(Cow::Borrowed(name)),
            Self::Quoted(name) => Some(name.decoded()),
            Self::Sign(_) => None,
        }
    }
}

/// Reads a text token by token, and allocates nothing.
#[derive(Clone)]
pub(super) struct Tokens<'a> {
    sql: &'a str,
    at: usize,
    backend: DbBackend,
    /// Within a comment that is executed.
    executable: bool,
    /// Whether comments that only some servers run are skipped.
    skips_versions: bool,
    /// The content of the last string, as written in the text.
    string: &'a str,
    /// A string, a name or a comment has no end: the database may read something else in it.
    is_cut_off: bool,
    /// How many comments were found that only some servers run.
    uncertain: usize,
}

const SPACE: u8 = 1;
const WORD: u8 = 2;
const SIGN: u8 = 3;
/// The byte begins a comment, a string or a quoted name on some database, or is a sign.
const OTHER: u8 = 4;

#[expect(clippy::cast_possible_truncation, reason = "it is below 256")]
const KINDS: [u8; 256] = {
    let mut kinds = [SIGN; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            // The vertical tab is a space to MariaDB and to PostgreSQL from 16 on; others refuse it.
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => SPACE,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80.. => WORD,
            b'-' | b'#' | b'/' | b'*' | b'\'' | b'"' | b'`' | b'[' | b'$' | b'@' | b':' | b';' => OTHER,
            _ => SIGN,
        };
        byte += 1;
    }
    kinds
};

fn is_of_word(byte: u8) -> bool {
    KINDS[usize::from(byte)] == WORD
}

impl<'a> Tokens<'a> {
    /// Comments that only some servers run are read as if they ran.
    pub(super) fn new(sql: &'a str, backend: DbBackend) -> Self {
        let (skips_versions, is_cut_off) = (false, false);
        Self { sql, at: 0, backend, executable: false, skips_versions, string: "", is_cut_off, uncertain: 0 }
    }

    /// Comments that only some servers run are skipped.
    pub(super) fn skipping_versions(sql: &'a str, backend: DbBackend) -> Self {
        Self { skips_versions: true, ..Self::new(sql, backend) }
    }

    /// The content of the last string, as written in the text, with its escapes.
    pub(super) fn string(&self) -> &'a str {
        self.string
    }

    /// The rest that is not read yet.
    pub(super) fn rest(&self) -> &'a str {
        self.sql.get(self.at..).unwrap_or_default()
    }

    /// Whether a string, a name or a comment had no end.
    pub(super) fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// How many comments were found that only some servers run.
    pub(super) fn uncertain(&self) -> usize {
        self.uncertain
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.sql.as_bytes().get(self.at + ahead).copied()
    }

    /// Skips past the next `end`, or to the end of the text; returns the skipped text without `end`.
    fn pass(&mut self, from: usize, end: &str) -> &'a str {
        let rest = self.sql.get(from..).unwrap_or_default();
        let found = rest.find(end);
        self.is_cut_off |= found.is_none();
        self.at = found.map_or(self.sql.len(), |found| from + found + end.len());
        &rest[..found.unwrap_or(rest.len())]
    }

    /// A word, or a string or name with a prefix letter.
    fn word(&mut self, first: u8) -> Token<'a> {
        let (begin, bytes) = (self.at, self.sql.as_bytes());
        let is_postgres = self.backend == DbBackend::Postgres;
        let mut end = begin + 1;
        if is_postgres && first.is_ascii_digit() {
            // `1$$…$$` is a number and a string.
            while bytes.get(end).is_some_and(u8::is_ascii_digit) {
                end += 1;
            }
        } else {
            while bytes.get(end).is_some_and(|byte| is_of_word(*byte) || *byte == b'$') {
                end += 1;
            }
        }
        self.at = end;
        if is_postgres && end == begin + 1 {
            match (first, self.byte(0), self.byte(1)) {
                (b'e' | b'E', Some(b'\''), _) => return self.string_token(true),
                (b'u' | b'U', Some(b'&'), Some(b'"')) => return self.unicode_name(),
                _ => {}
            }
        }
        Token::Word(&self.sql[begin..end])
    }

    /// A variable of SQLite, which may have anything but spaces in parentheses at its end: `$a::b(c)`.
    fn pass_variable(&mut self) {
        let bytes = self.sql.as_bytes();
        let mut end = self.at + 1;
        let mut has_name = false;
        while let Some(byte) = bytes.get(end) {
            if is_of_word(*byte) || *byte == b'$' {
                has_name = true;
            } else if *byte == b'(' && has_name {
                let inner = &bytes[end + 1..];
                let stop = inner.iter().position(|byte| *byte == b')' || byte.is_ascii_whitespace() || *byte == 0);
                match stop {
                    Some(stop) if inner[stop] == b')' => end += stop + 2,
                    // Not a token of SQLite, which reads nothing after it.
                    _ => self.is_cut_off = true,
                }
                break;
            } else if *byte == b':' && bytes.get(end + 1) == Some(&b':') {
                end += 1;
            } else {
                break;
            }
            end += 1;
        }
        self.at = end;
    }

    /// A token that is not a word; `None` for a comment.
    fn other(&mut self, byte: u8) -> Option<Token<'a>> {
        let is_sqlite = self.backend == DbBackend::Sqlite;
        match byte {
            b'-' | b'#' if self.is_line_comment() => {
                self.pass_line();
                return None;
            }
            b'*' if self.executable && self.byte(1) == Some(b'/') => {
                (self.executable, self.at) = (false, self.at + 2);
                return None;
            }
            b'/' if self.byte(1) == Some(b'*') => {
                self.pass_comment();
                return None;
            }
            b'\'' if is_sqlite => return Some(self.quoted_name(byte)),
            b'\'' => return Some(self.string_token(self.backend == DbBackend::MySql)),
            b'"' | b'`' => return Some(self.quoted_name(byte)),
            b'[' if is_sqlite => {
                let raw = self.pass(self.at + 1, "]");
                return Some(Token::Quoted(Quoted::plain(raw)));
            }
            // A name may begin with it.
            b'$' if self.backend == DbBackend::MySql => return Some(self.word(byte)),
            b'$' if self.pass_dollar_quoted() => return Some(Token::Sign(b'\'')),
            b'$' | b'@' | b':' | b'#' if is_sqlite => self.pass_variable(),
            // A further statement is read from its beginning, even if the comment is not closed.
            b';' => (self.executable, self.at) = (false, self.at + 1),
            _ => self.at += 1,
        }
        Some(Token::Sign(byte))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let byte = self.byte(0)?;
            match KINDS[usize::from(byte)] {
                SPACE => self.at += 1,
                // SQLite takes a byte order mark for a space.
                WORD if byte == 0xef && self.backend == DbBackend::Sqlite && self.rest().starts_with('\u{feff}') => {
                    self.at += 3;
                }
                WORD => return Some(self.word(byte)),
                SIGN => {
                    self.at += 1;
                    return Some(Token::Sign(byte));
                }
                _ => {
                    if let Some(token) = self.other(byte) {
                        return Some(token);
                    }
                }
            }
        }
    }
}
