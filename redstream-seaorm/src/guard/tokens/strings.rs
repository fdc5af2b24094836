//! Strings and quoted names.

use sea_orm::DbBackend;

use super::names::Quoted;
use super::{Token, Tokens, is_of_word};

impl<'a> Tokens<'a> {
    /// Skips past a string or a quoted name, in which quotes are doubled. Returns whether one was doubled.
    fn pass_quoted(&mut self, quote: u8, escapes: bool) -> (&'a str, bool) {
        let (begin, bytes) = (self.at + 1, self.sql.as_bytes());
        let (mut end, mut is_doubled) = (begin, false);
        loop {
            match bytes.get(end) {
                Some(byte) if *byte == quote => {
                    if bytes.get(end + 1) != Some(&quote) {
                        break;
                    }
                    is_doubled = true;
                    end += 2;
                }
                Some(b'\\') if escapes => end += 2,
                Some(_) => end += 1,
                None => {
                    self.is_cut_off = true;
                    break;
                }
            }
        }
        self.at = (end + 1).min(bytes.len());
        (self.sql.get(begin..end.min(bytes.len())).unwrap_or_default(), is_doubled)
    }

    /// A string. `escapes`: a backslash escapes the quote after it.
    pub(super) fn string_token(&mut self, escapes: bool) -> Token<'a> {
        let quote = self.byte(0).unwrap_or(b'\'');
        self.string = self.pass_quoted(quote, escapes).0;
        while self.backend == DbBackend::Postgres && escapes && self.is_continued() {
            self.pass_quoted(quote, escapes);
        }
        Token::Sign(b'\'')
    }

    /// In PostgreSQL a string continues after a line break, with the escape rules of its beginning; skips to its next
    /// quote.
    fn is_continued(&mut self) -> bool {
        let before = self.at;
        let mut is_behind_a_break = false;
        loop {
            match self.byte(0) {
                Some(b'\n' | b'\r') => (is_behind_a_break, self.at) = (true, self.at + 1),
                Some(b' ' | b'\t' | 0x0b | 0x0c) => self.at += 1,
                Some(b'-') if self.is_line_comment() => self.pass_line(),
                Some(b'\'') if is_behind_a_break => return true,
                _ => {
                    self.at = before;
                    return false;
                }
            }
        }
    }

    /// `"x"` and `` `x` ``, and in SQLite `'x'`. In `MySQL` `"x"` is a string, in which a backslash escapes.
    pub(super) fn quoted_name(&mut self, quote: u8) -> Token<'a> {
        let (raw, is_doubled) = self.pass_quoted(quote, quote == b'"' && self.backend == DbBackend::MySql);
        if quote != b'`' {
            self.string = raw;
        }
        Token::Quoted(if is_doubled { Quoted::doubled(raw, quote) } else { Quoted::plain(raw) })
    }

    /// PostgreSQL's `U&"d\0061ta"`, and after it `UESCAPE '!'`; from the `&` on.
    pub(super) fn unicode_name(&mut self) -> Token<'a> {
        self.at += 1;
        let (raw, _) = self.pass_quoted(b'"', false);
        let before = self.at;
        let mut escape = b'\\';
        let is_told = self.next().is_some_and(|token| token.is("UESCAPE")) && self.next() == Some(Token::Sign(b'\''));
        match self.string.as_bytes() {
            [told] if is_told => escape = *told,
            _ => self.at = before,
        }
        Token::Quoted(Quoted::unicode(raw, escape))
    }

    /// PostgreSQL's `$$…$$` and `$tag$…$tag$`; not `$1`.
    pub(super) fn pass_dollar_quoted(&mut self) -> bool {
        if self.backend != DbBackend::Postgres {
            return false;
        }
        let rest = &self.sql.as_bytes()[self.at + 1..];
        let tag = rest.iter().take_while(|byte| is_of_word(**byte)).count();
        if rest.first().is_some_and(u8::is_ascii_digit) || rest.get(tag) != Some(&b'$') {
            return false;
        }
        let sql = self.sql;
        let mark = &sql[self.at..self.at + tag + 2];
        self.string = self.pass(self.at + mark.len(), mark);
        true
    }
}
