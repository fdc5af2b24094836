//! Texts of SQL at random: statements that write, in all that a reader of words can stumble over.

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
        (hasher.finish() % end as u64) as usize
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<'s>(&mut self, of: &[&'s str]) -> &'s str {
        of[self.below(of.len())]
    }

    /// A number that no other text has, for names that outlive it.
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

    /// Words with something between them that says nothing.
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
                gaps.extend(["/*M! */", "/*M!100100 */", "/*!99999 ' */", "/*!50701 ; */", "/*!99999 /* ' */ ; */"])
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

    /// A value with what looks like quotes, comments and statements in it.
    pub(super) fn literal(&mut self) -> String {
        let mut of = vec!["1", "''", "'it''s'", "'; DELETE FROM b; '", "'-- '", "'/*'", "'*/'", "'$$'", "'\"'", "'`'"];
        match self.backend {
            DbBackend::Postgres => of.extend([
                "$$ it's; $$",
                "$a$ $$ ; DELETE FROM b; $a$",
                "$é$ ' ; $$ $é$",
                "$_1$'$1$_1$",
                "E'\\''",
                "e'it\\'s; /*'",
                "'\\'",
                "E'\\\\'",
                "U&'d\\0061'",
                "U&'!0061\\' UESCAPE '!'",
                "u&'it''s'",
                "N'x'",
                "B'01'",
                "X'1F'",
                "E'a'\n'\\'b'",
                "E'a' -- c\n '\\';'",
                "'a'\n'\\'",
                "1::int4",
                "'a'||$$b$$",
                "length('\\')",
                "'x'--'\r",
                "$Ünï$\"$Ünï$",
            ]),
            DbBackend::MySql => of.extend([
                "'\\''",
                "'a\\\\'",
                "\"it's\"",
                "\"\\\"; DELETE FROM b\"",
                "5--1",
                "N'\\''",
                "x'41'",
                "_utf8mb4'\\';'",
                "'a' '\\''",
                "\"\"\"\"",
                "1e5",
                "0x41",
                "@`a;'b`",
                "@'x;'",
                "5--/**/1",
                "'\\\n\\'' ",
            ]),
            DbBackend::Sqlite => {
                of.extend(["'\\'", "x'41'", "\"\"\";\"", "[a;']", "`'`", "$a::b", "?1", ":x", "@y", "$a('x;)"])
            }
            _ => {}
        }
        // A name that stands for nothing is a string to SQLite in double quotes alone.
        let literal = self.pick(&of);
        if self.backend == DbBackend::Sqlite && (literal.starts_with('[') || literal.starts_with('`')) {
            return "1".to_owned();
        }
        literal.to_owned()
    }

    /// One of the tables, by one of the ways to write its name.
    pub(super) fn table(&mut self) -> String {
        let at = self.below(6);
        let main = self.fixture.schemas[0].clone();
        let other = self.fixture.schemas[1].clone();
        let dot = if self.one_in(5) { format!("{}.{}", self.gap(), self.gap()) } else { ".".to_owned() };
        let mut of: Vec<&str> = match (at, self.backend) {
            (0, DbBackend::Postgres) => vec![
                "plains",
                "PLAINS",
                "\"plains\"",
                "U&\"pl\\0061ins\"",
                "U&\"pl!0061ins\" UESCAPE '!'",
                "u&\"plain\\+000073\"",
                "U&\"plains\"",
            ],
            (1, DbBackend::Postgres) => vec!["\"odd name\"", "U&\"odd\\0020name\""],
            (2, DbBackend::Postgres) => vec!["\"qu\"\"o`te\"", "U&\"qu\\0022o`te\""],
            (3, DbBackend::Postgres) => vec!["ünï", "\"ünï\"", "U&\"\\00fcn\\00EF\""],
            (4, DbBackend::Postgres) => vec!["\"select\"", "U&\"\\0073elect\""],
            (0, DbBackend::MySql) => vec!["plains", "`plains`"],
            (1, DbBackend::MySql) => vec!["`odd name`"],
            (2, DbBackend::MySql) => vec!["`qu\"o``te`"],
            (3, DbBackend::MySql) => vec!["ünï", "`ünï`"],
            (4, DbBackend::MySql) => vec!["`select`"],
            (0, _) => vec!["plains", "PLAINS", "\"plains\"", "`plains`", "[plains]", "'plains'", "\"PLAINS\""],
            (1, _) => vec!["\"odd name\"", "`odd name`", "[odd name]", "'odd name'"],
            (2, _) => vec!["\"qu\"\"o`te\"", "`qu\"o``te`", "[qu\"o`te]", "'qu\"o`te'"],
            (3, _) => vec!["ünï", "[ünï]", "'ünï'", "`ünï`", "\"ünï\""],
            (4, _) => vec!["\"select\"", "[select]", "'select'", "`select`"],
            _ if self.backend == DbBackend::Sqlite => vec!["plains", "'plains'", "[plains]"],
            _ => vec!["plains"],
        };
        if self.backend == DbBackend::MySql && at == 4 && self.one_in(3) {
            return format!("{main}.select");
        }
        let name = self.pick(&std::mem::take(&mut of));
        if at == 5 {
            return format!("{other}{dot}{name}");
        }
        let quoted = match self.backend {
            DbBackend::MySql => format!("`{main}`"),
            DbBackend::Sqlite => self.pick(&["'main'", "\"main\"", "[main]"]).to_owned(),
            _ => "U&\"publi\\0063\"".to_owned(),
        };
        match self.below(6) {
            0 => format!("{main}{dot}{name}"),
            1 => format!("{quoted}{dot}{name}"),
            _ => name.to_owned(),
        }
    }

    /// The text with something at a place where it does not belong: most run no more, and some run as something else.
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
