//! Values and names at random.

use sea_orm::DbBackend;

use super::grammar::Texts;

impl Texts<'_> {
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
                of.extend(["'\\'", "x'41'", "\"\"\";\"", "[a;']", "`'`", "$a::b", "?1", ":x", "@y", "$a('x;)"]);
            }
            _ => {}
        }
        // A name that stands for nothing in double quotes is a string only for SQLite.
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
}
