//! Bodies of routines and triggers, whose statements run later: they are skipped, up to where the definition ends.

use super::super::first_words::PLAIN;
use super::super::tokens::Token;
use super::Reader;

impl Reader<'_> {
    /// A body that ends with an `END` of its own after the semicolon of its last statement. `is_begun`: its first words
    /// were read.
    pub(super) fn pass_body(&mut self, is_begun: bool) {
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
    pub(super) fn pass_atomic_body(&mut self) {
        while let Some(token) = self.next_of_statement() {
            if token.is("BEGIN") && self.parens == 0 && self.accept("ATOMIC") {
                return self.pass_body(true);
            }
        }
    }

    /// One statement, or a block. Blocks and `CASE` end with `END`, others with `END IF` and the like. If a `BEGIN` may
    /// be a name, all that follows is read as if it ran.
    pub(super) fn pass_mysql_body(&mut self, kind: &str) {
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
    const OTHERS: [&str; 26] = [
        "IF",
        "CASE",
        "WHILE",
        "LOOP",
        "REPEAT",
        "FOR",
        "SAVEPOINT",
        "RELEASE",
        "EXECUTE",
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
    token.is_one_of(&PLAIN) || token.is_one_of(&OTHERS)
}
