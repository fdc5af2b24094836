//! Statements that write several tables, as `MySQL` has them.

use std::borrow::Cow;

use sea_orm::DbBackend;

use super::super::tokens::Token;
use super::Reader;
use super::names::Name;

/// A table of a list, and its alias in the statement.
struct Reference<'a> {
    name: Name<'a>,
    alias: Cow<'a, str>,
}

impl<'a> Reader<'a> {
    pub(super) fn updated(&mut self) {
        if self.backend != DbBackend::MySql {
            self.pass_conflict();
            return self.relation("UPDATE");
        }
        while self.accept_one_of(&["LOW_PRIORITY", "IGNORE"]) {}
        let before = self.reading.writes.len();
        self.references(|reader, reference| reader.write("UPDATE", reference.name));
        if self.reading.writes.len() == before {
            self.not_understood();
        }
    }

    pub(super) fn deleted(&mut self) {
        if self.backend != DbBackend::MySql {
            return if self.accept("FROM") { self.relation("DELETE") } else { self.not_understood() };
        }
        while self.accept_one_of(&["LOW_PRIORITY", "QUICK", "IGNORE"]) {}
        let is_from = self.accept("FROM");
        let Some(first) = self.name() else { return self.not_understood() };
        let mut targets = Vec::new();
        while self.accept_sign(b',') {
            let Some(name) = self.name() else { return self.not_understood() };
            targets.push(name);
        }
        if self.accept(if is_from { "USING" } else { "FROM" }) {
            targets.insert(0, first);
            self.resolved(targets);
        } else {
            self.write("DELETE", first);
        }
    }

    /// `DELETE c FROM cities AS c`: `c` is an alias of `cities`.
    fn resolved(&mut self, targets: Vec<Name<'a>>) {
        let mut references = Vec::new();
        self.references(|_, reference| references.push(reference));
        for target in targets {
            let goes_by = |reference: &&Reference<'a>| reference.alias.to_lowercase() == target.1.to_lowercase();
            let known: Vec<Name<'a>> = references.iter().filter(goes_by).map(|known| known.name.clone()).collect();
            if known.is_empty() {
                // `DELETE HISTORY FROM cities`
                let all: Vec<Name<'a>> = references.iter().map(|reference| reference.name.clone()).collect();
                for name in all {
                    self.write("DELETE", name);
                }
            }
            if known.is_empty() || target.0.is_some() {
                self.write("DELETE", target);
            }
            for name in known {
                self.write("DELETE", name);
            }
        }
    }

    /// The tables of `a, b AS c JOIN (d, e) ON …`, up to `SET`, `WHERE` and the like.
    fn references(&mut self, mut found: impl FnMut(&mut Self, Reference<'a>)) {
        let mut is_due = true;
        let mut is_number = false;
        while let Some(token) = self.peek() {
            match token {
                Token::Sign(b'(') if is_due => {
                    let parens = self.parens;
                    self.next();
                    if self.peek().is_some_and(|token| token.is_one_of(&["SELECT", "WITH", "VALUES", "TABLE"])) {
                        self.pass_parens_to(parens);
                        is_due = false;
                    }
                }
                // `{ OJ a LEFT OUTER JOIN b ON … }`
                Token::Sign(b'{') if is_due => {
                    self.held = None;
                    self.next();
                }
                Token::Sign(b'.') | Token::Word(_) | Token::Quoted(_) if is_due => {
                    if self.accept("LATERAL") {
                        continue;
                    }
                    let Some(name) = self.name() else { return self.not_understood() };
                    is_due = false;
                    let alias = self.alias().unwrap_or_else(|| name.1.clone());
                    found(self, Reference { name, alias });
                }
                Token::Sign(b'(') => {
                    let parens = self.parens;
                    self.next();
                    self.pass_parens_to(parens);
                }
                Token::Sign(b';') => return,
                // `p.order`, `@order`: a keyword is a name there. `1.` is a number.
                Token::Sign(b'.' | b'@') if !is_number => {
                    self.next();
                    if self.peek().is_some_and(|token| token.name().is_some()) {
                        self.next();
                    }
                }
                _ if token.is_one_of(&["SET", "WHERE", "ORDER", "LIMIT"]) => return,
                // `USE INDEX FOR ORDER BY (a)`
                _ if token.is("FOR") => {
                    self.next();
                    self.accept_one_of(&["JOIN", "ORDER", "GROUP"]);
                    self.accept("BY");
                }
                _ => {
                    is_due = token == Token::Sign(b',') || token.is_one_of(&["JOIN", "STRAIGHT_JOIN"]);
                    is_number = is_digits(token);
                    self.next();
                }
            }
        }
    }

    /// `[PARTITION (…)] [AS] alias`
    fn alias(&mut self) -> Option<Cow<'a, str>> {
        const BEHIND: [&str; 18] = [
            "SET",
            "JOIN",
            "STRAIGHT_JOIN",
            "ON",
            "USING",
            "WHERE",
            "INNER",
            "LEFT",
            "RIGHT",
            "CROSS",
            "NATURAL",
            "USE",
            "FORCE",
            "IGNORE",
            "ORDER",
            "LIMIT",
            "FOR",
            "RETURNING",
        ];
        let parens = self.parens;
        if self.accept("PARTITION") && self.accept_sign(b'(') {
            self.pass_parens_to(parens);
        }
        if self.accept("AS") {
            return self.next()?.name();
        }
        let token = self.peek().filter(|token| !token.is_one_of(&BEHIND))?;
        let alias = token.name()?;
        self.held = None;
        Some(alias)
    }

    /// `TRUNCATE [TABLE] [ONLY] a [*], …`
    pub(super) fn truncated(&mut self) {
        self.accept("TABLE");
        loop {
            self.relation("TRUNCATE");
            self.accept_sign(b'*');
            if !self.accept_sign(b',') {
                break;
            }
        }
        // With it, tables that the text does not name are truncated, too.
        while self.backend == DbBackend::Postgres {
            let Some(token) = self.next_of_statement() else { return };
            if token.is("CASCADE") {
                return self.not_understood();
            }
        }
    }

    /// `RENAME TABLE a TO b, c TO d`: each changes which rows a name refers to.
    pub(super) fn renamed(&mut self) {
        if self.accept_one_of(&["TABLE", "TABLES"]) {
            if self.accept("IF") {
                self.accept("EXISTS");
            }
            loop {
                self.table("RENAME");
                while !self.accept("TO") {
                    if self.next_of_statement().is_none() {
                        return self.not_understood();
                    }
                }
                self.table("RENAME");
                if !self.accept_sign(b',') {
                    return;
                }
            }
        }
    }
}

fn is_digits(token: Token<'_>) -> bool {
    matches!(token, Token::Word(word) if word.bytes().all(|byte| byte.is_ascii_digit()))
}
