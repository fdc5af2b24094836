//! Which tables a text of SQL writes. Not a parser: it reads the heads of the statements, and reports what it does not
//! understand.

mod bodies;
mod definitions;
mod heads;
mod names;
mod several;
mod wrappers;

use std::borrow::Cow;

use sea_orm::DbBackend;

use super::tokens::{Token, Tokens};

/// One table that a statement writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write<'a> {
    /// `INSERT`, `UPDATE`, …
    pub(crate) verb: &'static str,
    /// In the database's spelling, without quotes and escapes.
    pub(crate) schema: Option<Cow<'a, str>>,
    /// In the database's spelling, without quotes and escapes.
    pub(crate) table: Cow<'a, str>,
}

/// A statement that may write any table: its text does not say, or is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread<'a> {
    /// Its head: `DO`, `EXECUTE`, …
    pub(crate) statement: Cow<'a, str>,
}

/// What a text of SQL does to tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading<'a> {
    pub(crate) writes: Vec<Write<'a>>,
    /// Tables that it drops, if that deletes rows of other tables: those of which they are partitions or heirs.
    pub(crate) drops: Vec<Write<'a>>,
    /// The first statement that may write any table.
    pub(crate) unread: Option<Unread<'a>>,
}

/// All tables that the statements of this text write, according to the text: writes by triggers, functions and foreign
/// keys are not included.
pub(crate) fn read(sql: &str, backend: DbBackend) -> Reading<'_> {
    let (reading, uncertain) = read_with(sql, backend, Tokens::new(sql, backend));
    if uncertain == 0 { reading } else { either_way(sql, backend, reading, uncertain) }
}

/// With comments that only some servers run: the writes with them and without them.
#[cold]
fn either_way<'a>(sql: &'a str, backend: DbBackend, mut reading: Reading<'a>, uncertain: usize) -> Reading<'a> {
    let (other, _) = read_with(sql, backend, Tokens::skipping_versions(sql, backend));
    // With several of them a server may run one and skip another.
    if uncertain > 1 || reading != other {
        reading.unread.get_or_insert(Unread { statement: "/*!".into() });
    }
    let more = other.writes.into_iter().filter(|write| !reading.writes.contains(write)).collect::<Vec<_>>();
    reading.writes.extend(more);
    reading.drops.extend(other.drops);
    reading
}

fn read_with<'a>(sql: &'a str, backend: DbBackend, tokens: Tokens<'a>) -> (Reading<'a>, usize) {
    let mut reader =
        Reader { tokens, held: None, backend, parens: 0, nested: 0, head: "", reading: Reading::default() };
    // The first words of a single statement say what it is.
    let only_one = !sql.trim_end().trim_end_matches(';').contains(';');
    loop {
        reader.statement();
        if only_one || !reader.pass_to_the_next() {
            break;
        }
    }
    if reader.tokens.is_cut_off() || (backend == DbBackend::Postgres && wrappers::may_set_config(sql)) {
        reader.not_understood();
    }
    (reader.reading, reader.tokens.uncertain())
}

/// PostgreSQL's setting that says whether a backslash escapes in a string.
const CONFORMING: &str = "standard_conforming_strings";

/// How many levels of nested statements are read.
const NESTED: u8 = 32;

struct Reader<'a> {
    tokens: Tokens<'a>,
    /// Peeked and not consumed yet.
    held: Option<Token<'a>>,
    backend: DbBackend,
    /// How many parentheses are open.
    parens: usize,
    /// Within how many statements.
    nested: u8,
    /// The head of the statement.
    head: &'a str,
    reading: Reading<'a>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.held.take().or_else(|| self.tokens.next());
        match token {
            Some(Token::Sign(b'(')) => self.parens += 1,
            Some(Token::Sign(b')')) => self.parens = self.parens.saturating_sub(1),
            _ => {}
        }
        token
    }

    /// Peeks at the next token.
    fn peek(&mut self) -> Option<Token<'a>> {
        if self.held.is_none() {
            self.held = self.tokens.next();
        }
        self.held
    }

    /// Consumes the next token if it is this keyword.
    fn accept(&mut self, keyword: &str) -> bool {
        self.accept_one_of(&[keyword])
    }

    fn accept_one_of(&mut self, keywords: &[&str]) -> bool {
        let is_there = self.peek().is_some_and(|token| token.is_one_of(keywords));
        if is_there {
            self.held = None;
        }
        is_there
    }

    /// Consumes the next token if it is this sign.
    fn accept_sign(&mut self, sign: u8) -> bool {
        let is_there = self.peek() == Some(Token::Sign(sign));
        if is_there {
            self.next();
        }
        is_there
    }

    /// Consumes the next token if the statement has one.
    fn next_of_statement(&mut self) -> Option<Token<'a>> {
        if self.peek() == Some(Token::Sign(b';')) { None } else { self.next() }
    }

    /// A reader of the same text, to look ahead of this one. Its findings are not shared.
    fn ahead(&self) -> Reader<'a> {
        let Self { backend, parens, nested, head, held, .. } = *self;
        Reader { tokens: self.tokens.clone(), held, backend, parens, nested, head, reading: Reading::default() }
    }

    /// Skips past the parentheses that were opened at more than this depth, or to the end of the statement.
    fn pass_parens_to(&mut self, parens: usize) {
        while self.parens > parens && self.next_of_statement().is_some() {}
    }

    /// Skips past the next semicolon; `false` at the end.
    fn pass_to_the_next(&mut self) -> bool {
        self.parens = 0;
        while let Some(token) = self.next() {
            if token == Token::Sign(b';') {
                self.parens = 0;
                return true;
            }
        }
        false
    }

    /// The statement may write any table.
    fn not_understood(&mut self) {
        let statement = Cow::Borrowed(self.head);
        self.reading.unread.get_or_insert(Unread { statement });
    }

    fn statement(&mut self) {
        self.nested += 1;
        if self.nested > NESTED {
            self.not_understood();
        } else {
            while self.accept_sign(b'(') {}
            match self.next() {
                None => {}
                Some(Token::Word(head)) => {
                    self.head = head;
                    self.begins_with(head);
                }
                Some(Token::Sign(b';')) => self.held = Some(Token::Sign(b';')),
                Some(_) => self.not_understood(),
            }
        }
        self.nested -= 1;
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
