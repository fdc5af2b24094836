//! Texts of SQL at random: statements that write, surrounded by everything that is difficult for a tokenizer.

use std::hash::{DefaultHasher, Hash, Hasher};

use sea_orm::DbBackend;

use super::fixture::Fixture;

/// Makes one text, the same for the same seed.
pub(super) struct Texts<'f> {
    pub(super) fixture: &'f Fixture,
    pub(super) backend: DbBackend,
    seed: u64,
    drawn: u64,
}

impl<'f> Texts<'f> {
    pub(super) fn new(fixture: &'f Fixture, seed: u64) -> Self {
        Self { fixture, backend: fixture.backend, seed, drawn: 0 }
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        let mut hasher = DefaultHasher::new();
        (self.seed, self.drawn).hash(&mut hasher);
        self.drawn += 1;
        usize::try_from(hasher.finish() % end as u64).unwrap()
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<'s>(&mut self, of: &[&'s str]) -> &'s str {
        of[self.below(of.len())]
    }

    /// A number that no other text has, for names that remain after it.
    pub(super) fn unique(&self) -> String {
        format!("n{}", self.seed)
    }

    /// The kind of a text and the text.
    pub(super) fn text(&mut self) -> (&'static str, String) {
        let (kind, mut text) = match self.below(10) {
            0..4 => ("one write", self.write()),
            4..8 => self.wrapped(),
            _ => self.several(),
        };
        if self.one_in(8) {
            return ("with a piece put in", self.disturbed(text));
        }
        if self.one_in(10) {
            text = format!("{}{text}{}", self.gap(), self.pick(&[";", " ; ;", " -- '", " /* ; */"]));
        }
        (kind, text)
    }

    fn several(&mut self) -> (&'static str, String) {
        let mut statements = Vec::new();
        for _ in 0..=self.below(3) {
            statements.push(if self.one_in(2) { self.read() } else { self.write() });
        }
        let last = if self.one_in(2) { self.wrapped().1 } else { self.write() };
        statements.push(last);
        if self.one_in(3) {
            statements.push(self.read());
        }
        let end = format!("{};{}", self.gap(), self.gap());
        ("several statements", statements.join(&end))
    }

    /// A statement that changes nothing.
    fn read(&mut self) -> String {
        let literal = self.literal();
        let write = self.write();
        match self.below(8) {
            0 if self.backend != DbBackend::MySql => format!("EXPLAIN {write}"),
            1 if self.backend != DbBackend::MySql => format!("CREATE TABLE {} (id int, v int)", self.unique()),
            // It commits.
            1 => "CREATE TABLE IF NOT EXISTS made (id int, v int)".to_owned(),
            2 if self.backend == DbBackend::Sqlite => {
                let head = format!("CREATE TRIGGER other.{} AFTER INSERT ON plains", self.unique());
                format!("{head} BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 1; END")
            }
            2 if self.backend == DbBackend::Postgres => {
                let name = self.unique();
                format!("CREATE FUNCTION {name}() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END")
            }
            3 => self.words(&["SELECT", &literal, "AS", "x,", &literal.clone(), "AS", "y"]),
            _ => self.words(&["SELECT", &literal]),
        }
    }

    /// Words with insignificant text between them.
    pub(super) fn words(&mut self, words: &[&str]) -> String {
        let mut text = String::new();
        for (at, word) in words.iter().filter(|word| !word.is_empty()).enumerate() {
            if at > 0 {
                text += &self.gap();
            }
            text += word;
        }
        text
    }

    /// What separates two words, and nothing else.
    pub(super) fn gap(&mut self) -> String {
        if !self.one_in(4) {
            return " ".to_owned();
        }
        let mut gaps =
            vec!["\n", "\t", "\r\n", "\x0c", "/* c */", "/* ' */", "/* \" ; */", "/* $$ */", " -- it's;\n", "/**/"];
        let is_rare = self.one_in(20);
        match self.backend {
            DbBackend::Postgres => gaps.extend(["/* a /* ' */ b */", " --' \r", "--\"\n", "--\n", " --x/*\r\n"]),
            // Some servers run some of these.
            DbBackend::MySql if is_rare => {
                gaps.extend(["/*M! */", "/*M!100100 */", "/*!99999 ' */", "/*!50701 ; */", "/*!99999 /* ' */ ; */"]);
            }
            DbBackend::MySql => gaps.extend([
                " # it's\r\t\n",
                " -- '\r '\n",
                "/*! */",
                " /*!50000 */ ",
                "\x0b",
                " --\t\"\n",
                " #\n",
                "/*M!999999 \" */",
                "/*!040101*/",
                "/* /* */",
            ]),
            DbBackend::Sqlite => gaps.extend([" -- '\r still '\n", "/* /* */", "--\n", " --'--\n"]),
            _ => {}
        }
        self.pick(&gaps).to_owned()
    }

    /// The text with something at a place where it does not belong: most are then invalid, and some mean something
    /// else.
    fn disturbed(&mut self, mut text: String) -> String {
        let pieces = [
            "'", "\"", "`", "\\", "--", "#", "\n", "\r", "/*", "*/", "/*!", "$$", "$a$", "E'", "U&'", ";", "(", ")",
            ",", ".", " ", "@", "[", "]", "UPDATE ", "FROM ", "AS ", "é", "\u{feff}", "\u{a0}", "\x0b", "0",
        ];
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let place = places[self.below(places.len())];
        if self.one_in(3) {
            text.remove(place);
        } else {
            text.insert_str(place, self.pick(&pieces));
        }
        text
    }
}
