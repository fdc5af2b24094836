//! Whether a filter selects the same rows each time it is evaluated.

use sea_orm::sea_query::{Condition, Query, SqliteQueryBuilder};

/// Words of SQLite that may be in a filter: operators, and functions whose result depends on their arguments alone.
const KNOWN: &[&str] = &[
    "ABS",
    "AND",
    "AS",
    "AVG",
    "BETWEEN",
    "BINARY",
    "CASE",
    "CAST",
    "COALESCE",
    "COLLATE",
    "ELSE",
    "END",
    "ESCAPE",
    "FALSE",
    "GLOB",
    "HEX",
    "IFNULL",
    "IIF",
    "IN",
    "INSTR",
    "INTEGER",
    "IS",
    "LENGTH",
    "LIKE",
    "LOWER",
    "LTRIM",
    "MAX",
    "MIN",
    "NOCASE",
    "NOT",
    "NULL",
    "NULLIF",
    "OR",
    "REAL",
    "REPLACE",
    "ROUND",
    "RTRIM",
    "SELECT",
    "SUBSTR",
    "SUBSTRING",
    "TEXT",
    "THEN",
    "TRIM",
    "TRUE",
    "TYPEOF",
    "UPPER",
    "WHEN",
    "WHERE",
];

/// Whether SQLite selects the same rows by this filter each time, as long as nothing is written.
///
/// `random()`, the current time and functions of the application make it select others, and so may a subquery, whose
/// view may use them. So every word that is no quoted name must be known.
pub(super) fn is_deterministic(filter: &Condition) -> bool {
    if filter.is_empty() {
        return true;
    }
    let (sql, _) = Query::select().cond_where(filter.clone()).build(SqliteQueryBuilder);
    has_known_words(&sql)
}

fn has_known_words(sql: &str) -> bool {
    let (mut rest, mut selects) = (sql, 0);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => {
                let Some(end) = rest[1..].find(first) else { return false };
                let quoted = end + 2;
                // The name of a function may be quoted.
                if rest[quoted..].trim_start().starts_with('(') {
                    return false;
                }
                quoted
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let is_of_word = |byte: char| byte.is_ascii_alphanumeric() || byte == '_';
                let length = rest.find(|byte| !is_of_word(byte)).unwrap_or(rest.len());
                let (word, behind) = (&rest[..length], rest[length..].trim_start());
                let is = |known: &str| known.eq_ignore_ascii_case(word);
                // The name of a table may follow IN.
                if !KNOWN.iter().copied().any(is) || (is("IN") && !behind.starts_with('(')) {
                    return false;
                }
                selects += usize::from(is("SELECT"));
                length
            }
            '0'..='9' => rest.find(|byte: char| !byte.is_ascii_digit()).unwrap_or(rest.len()),
            ' ' | '(' | ')' | ',' | '.' | '=' | '<' | '>' | '!' | '+' | '*' | '%' | '|' | '&' | '?' => 1,
            // Not the beginning of a comment.
            '-' | '/' if !rest.starts_with("--") && !rest.starts_with("/*") => 1,
            _ => return false,
        };
        rest = &rest[length..];
    }
    // The first one is that of the query around the filter.
    selects <= 1
}

#[cfg(test)]
mod tests {
    use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func};

    use super::*;

    fn column() -> Expr {
        Expr::col((Alias::new("t"), Alias::new("random")))
    }

    #[test]
    fn comparisons_and_known_functions_are_deterministic() {
        let filters = [
            Condition::all(),
            Condition::all().add(column().eq("random()")).add(column().is_in([1, 2])),
            Condition::any().add(column().like("%'; random() --")).add(column().is_null()),
            Condition::all().add(Expr::expr(Func::lower(column())).between(-1.5, "b")).not(),
            Condition::all().add(Expr::cust("\"a\" % 2 = 1 AND 'it''s random()' <> \"b\"")),
        ];
        for filter in filters {
            assert!(is_deterministic(&filter), "{filter:?}");
        }
    }

    #[test]
    fn what_may_change_by_itself_is_not() {
        let texts = [
            "random() > 0",
            "\"random\"() > 0",
            "'random' () > 0",
            "a < CURRENT_TIMESTAMP",
            "\"a\" < datetime('now')",
            "\"a\" IN (SELECT \"a\" FROM \"view\")",
            "\"a\" IN (select 1)",
            "\"a\" IN \"view\"",
            "1 /* ' */ = 1",
            "1 -- '\n = 1",
            "[random]() = 1",
            "`random`() = 1",
            "\"a\" = 'no end",
        ];
        for text in texts {
            assert!(!is_deterministic(&Condition::all().add(Expr::cust(text))), "{text}");
        }
        let subquery = Query::select().column("a").from("view").to_owned();
        assert!(!is_deterministic(&Condition::all().add(column().in_subquery(subquery))));
    }
}
