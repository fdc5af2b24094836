//! Statements that write, and text that may surround one.

use sea_orm::DbBackend;

use super::grammar::Texts;

impl Texts<'_> {
    /// A statement that writes a table, or several.
    pub(super) fn write(&mut self) -> String {
        match (self.backend, self.below(4)) {
            (DbBackend::MySql, 0) => self.of_several_tables(),
            (DbBackend::MySql, 1) => self.only_in_mysql(),
            (DbBackend::Postgres, 0) => self.only_in_postgres(),
            _ => self.anywhere(),
        }
    }

    fn condition(&mut self) -> String {
        let literal = self.literal();
        match self.below(4) {
            0 => String::new(),
            1 => self.words(&["WHERE", "id", "<", "3"]),
            2 => self.words(&["WHERE", "id", "IN", "(SELECT", "2)"]),
            _ => self.words(&["WHERE", &format!("COALESCE(length({literal}), 9)"), ">=", "0"]),
        }
    }

    fn anywhere(&mut self) -> String {
        let (table, condition, literal) = (self.table(), self.condition(), self.literal());
        let is_sqlite = self.backend == DbBackend::Sqlite;
        let or = if is_sqlite && self.one_in(3) { self.pick(&["OR REPLACE", "OR IGNORE", "OR FAIL"]) } else { "" };
        match self.below(6) {
            0 => self.words(&["UPDATE", or, &table, "SET", "v", "=", "v", "+", "1", &condition]),
            1 => self.words(&["update", or, &table, "set", "v=(", "select", "77", ")", &condition]),
            2 => self.words(&["DELETE", "FROM", &table, &condition]),
            3 => {
                let value = format!("COALESCE(length({literal}), 9)");
                self.words(&["INSERT", or, "INTO", &table, "(id, v)", "VALUES", "(101,", &value, ")"])
            }
            4 => self.words(&["INSERT", or, "INTO", &table, "SELECT", "102", ",", "5"]),
            _ if self.backend == DbBackend::Postgres => {
                let condition = self.condition();
                self.words(&["DELETE", "FROM", &table, "AS", "x", "USING", "(SELECT 1) y", &condition])
            }
            _ => self.words(&["REPLACE", "INTO", &table, "VALUES", "(103,", "5)"]),
        }
    }

    fn only_in_postgres(&mut self) -> String {
        let (table, another, condition) = (self.table(), self.table(), self.condition());
        let only = format!("ONLY{}({}{table})", self.gap(), self.gap());
        match self.below(8) {
            0 => self.words(&["UPDATE", &only, "SET", "v", "=", "9", &condition]),
            1 => self.words(&["DELETE", "FROM", &only, &condition]),
            2 => self.words(&["UPDATE", &table, "*", "AS", "x", "SET", "v", "=", "9"]),
            3 => self.words(&["TRUNCATE", &table, ",", "ONLY", &another]),
            4 => self.words(&["TRUNCATE", "TABLE", &only, "RESTRICT"]),
            5 => {
                let body = self.words(&["USING (SELECT 1 AS n) s ON true WHEN", "MATCHED", "THEN", "DELETE"]);
                self.words(&["MERGE", "INTO", &table, &body])
            }
            6 => self.words(&["UPDATE", "ONLY", &table, "SET", "v", "=", "9", &condition]),
            _ => {
                let with = self.words(&["WITH", "x", "AS", "(", "DELETE", "FROM", &another, "RETURNING", "id", ")"]);
                self.words(&["INSERT", "INTO", &table, &with, "SELECT", "count(*) + 200, 1 FROM x"])
            }
        }
    }

    fn only_in_mysql(&mut self) -> String {
        let (table, literal, condition) = (self.table(), self.literal(), self.condition());
        let value = format!("length({literal})");
        match self.below(7) {
            0 => self.words(&["INSERT", "LOW_PRIORITY", "IGNORE", &table, "SET", "id", "=", "104,", "v", "=", &value]),
            1 => self.words(&[
                "INSERT",
                &table,
                "VALUES",
                "(1, 5)",
                "ON",
                "DUPLICATE",
                "KEY",
                "UPDATE",
                "v",
                "=",
                &value,
            ]),
            2 => self.words(&["REPLACE", "DELAYED", &table, "SET", "id", "=", "1,", "v", "=", "55"]),
            3 => {
                self.words(&["UPDATE", "LOW_PRIORITY", "IGNORE", &table, "AS", "x", "SET", "x.v", "=", "8", &condition])
            }
            4 => self.words(&["DELETE", "LOW_PRIORITY", "QUICK", "FROM", &table, &condition]),
            5 => self.words(&["TRUNCATE", "TABLE", &table]),
            _ => self
                .words(&["INSERT", "INTO", &table, "()", "VALUES", "ROW(105, 1)"])
                .replace("ROW", "")
                .replace("()", "(id, v)"),
        }
    }

    fn of_several_tables(&mut self) -> String {
        let (table, another, condition) = (self.table(), self.table(), self.condition());
        let condition = condition.replace("id", "a.id");
        let join = self.pick(&[",", "JOIN", "STRAIGHT_JOIN", "CROSS JOIN", "INNER JOIN", "LEFT JOIN"]);
        let on = if join == "," { "" } else { "ON 1 = 1" };
        let target = self.pick(&["a", "b", "a, b", "b.*", "a.*, b"]);
        let (table, another) = (self.words(&[&table, "AS", "a"]), self.words(&[&another, "b"]));
        let tables = match self.below(4) {
            0 => self.words(&["(", &table, join, &another, on, ")"]),
            1 => self.words(&[&table, join, "(", &another, ")", on]),
            2 => self.words(&["{ OJ", &table, "LEFT OUTER JOIN", &another, "ON 1 = 1", "}"]),
            _ => self.words(&[&table, join, &another, on]),
        };
        match self.below(4) {
            0 => self.words(&["UPDATE", &tables, "SET", "a.v", "=", "6,", "b.v", "=", "7", &condition]),
            1 => self.words(&["UPDATE", &tables, "SET", "b.v", "=", "a.v", "+", "5", &condition]),
            2 => self.words(&["DELETE", target, "FROM", &tables, &condition]),
            _ => self.words(&["DELETE", "FROM", target, "USING", &tables, &condition]),
        }
    }

    /// The kind, and a text that runs a write indirectly.
    pub(super) fn wrapped(&mut self) -> (&'static str, String) {
        match self.backend {
            DbBackend::Sqlite => self.wrapped_in_sqlite(),
            DbBackend::Postgres => self.wrapped_in_postgres(),
            _ => self.wrapped_in_mysql(),
        }
    }

    fn cte(&mut self) -> String {
        let literal = self.literal();
        let name = self.pick(&["x", "x (a)", "\"delete\"", "recursive", "materialized", "\"a;\"\"'\""]);
        let recursive = self.pick(&["", "RECURSIVE"]);
        let body = self.words(&["SELECT", &literal, "AS", "a"]);
        self.words(&["WITH", recursive, name, "AS", materialized(self.backend), "(", &body, ")"])
    }

    fn wrapped_in_sqlite(&mut self) -> (&'static str, String) {
        let (write, cte) = (self.anywhere(), self.cte());
        let name = self.unique();
        match self.below(3) {
            0 | 1 => ("a CTE", self.words(&[&cte, &write])),
            _ => {
                let body = self.anywhere().replace("main", "").replace("other", "");
                let trigger = format!("CREATE TEMP TRIGGER {name} AFTER INSERT ON plains WHEN 0 BEGIN {body}; END");
                let drop = format!("DROP TRIGGER {name}");
                ("a trigger", self.words(&[&trigger, ";", &write, ";", &drop]))
            }
        }
    }

    fn wrapped_in_postgres(&mut self) -> (&'static str, String) {
        let (write, anywhere, cte, name) = (self.write(), self.anywhere(), self.cte(), self.unique());
        let options = self.pick(&["ANALYZE", "analyse verbose", "(ANALYZE)", "(VERBOSE, ANALYZE on)", "(\"analyze\")"]);
        let inner = self.words(&["WITH", "w", "AS", "(", &anywhere, "RETURNING", "1", ")"]);
        let tag = self.pick(&["$$", "$do$", "$é$"]);
        match self.below(11) {
            0 => ("a CTE", self.words(&[&cte, &anywhere])),
            1 | 2 => ("a CTE that writes", self.words(&[&inner, "SELECT", "*", "FROM", "w"])),
            3 => ("a CTE that writes, in parentheses", self.words(&["((", &inner, "SELECT", "*", "FROM", "w", "))"])),
            4 => ("EXPLAIN", self.words(&["EXPLAIN", options, &anywhere])),
            5 => ("EXPLAIN", self.words(&["EXPLAIN", options, &inner, "SELECT * FROM w"])),
            6 => ("DO", self.words(&["DO", &format!("{tag}BEGIN {}; END{tag}", write.replace(tag, ""))])),
            7 => ("PREPARE", format!("PREPARE {name} AS {anywhere}; EXECUTE {name}")),
            8 => ("COPY", self.words(&["COPY", "(", &anywhere, "RETURNING", "1", ")", "TO", "STDOUT"])),
            9 => {
                let head = self.words(&["CREATE", "TEMP", "TABLE", &name, "AS"]);
                ("CREATE TABLE AS", format!("PREPARE {name} AS {inner} SELECT 1; {head} EXECUTE {name}"))
            }
            _ => {
                let begin = format!("CREATE FUNCTION {name}() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END");
                ("a function, and a write", self.words(&[&begin, ";", &write]))
            }
        }
    }

    fn wrapped_in_mysql(&mut self) -> (&'static str, String) {
        let (write, table, another, name) = (self.write(), self.table(), self.table(), self.unique());
        let string = format!("'{}'", write.replace('\\', "\\\\").replace('\'', "''"));
        match self.below(16) {
            0..4 => {
                ("SET STATEMENT", self.words(&["SET", "STATEMENT", "max_statement_time", "=", "(9)", "FOR", &write]))
            }
            4 | 5 => ("EXECUTE IMMEDIATE", self.words(&["EXECUTE", "IMMEDIATE", &string])),
            6 | 7 => ("PREPARE", self.words(&["PREPARE", "q", "FROM", &string, ";", "EXECUTE", "q"])),
            8 => ("BEGIN NOT ATOMIC", self.words(&["BEGIN", "NOT", "ATOMIC", &write, ";", "END"])),
            9 => ("IF", self.words(&["IF", "1", "THEN", &write, ";", "END", "IF"])),
            10 | 11 => {
                let format = self.pick(&["", "FORMAT=JSON"]);
                ("ANALYZE", self.words(&["ANALYZE", format, &write]))
            }
            12 | 13 => {
                let mark = self.pick(&["/*!", "/*!50000", "/*M!", "/*M!100100", "/*!100100", "/*!50701", "/*M!999999"]);
                let cut = write.match_indices(' ').map(|(at, _)| at).nth(1).unwrap_or(0);
                ("version comments", format!("{mark} {} */ {}", &write[..cut], &write[cut..]))
            }
            14 if self.one_in(4) => {
                let between = format!("{}.{name}", self.fixture.schemas[0]);
                let pairs = [(&table, &between), (&another, &table), (&between, &another)];
                let each = pairs.map(|(from, to)| self.words(&[from, "TO", to])).join(", ");
                ("a swap", self.words(&["RENAME", "TABLE", &each]))
            }
            15 if self.one_in(4) => {
                ("CREATE OR REPLACE", self.words(&["CREATE", "OR", "REPLACE", "TABLE", &table, "(id int, v int)"]))
            }
            _ => {
                let body = self.write();
                let begin =
                    format!("CREATE OR REPLACE PROCEDURE p_q() BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; {body}; END");
                ("a procedure, and a write", self.words(&[&begin, ";", &write]))
            }
        }
    }
}

fn materialized(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres { "NOT MATERIALIZED" } else { "" }
}
