//! Any text can be read, and nothing next to a statement hides the table that it writes.

use proptest::prelude::*;

use super::*;

const BACKENDS: [DbBackend; 3] = [DbBackend::Sqlite, DbBackend::Postgres, DbBackend::MySql];

/// Pieces that are difficult for a tokenizer.
fn pieces() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "'",
        "''",
        "\"",
        "`",
        "[",
        "]",
        "\\",
        "\\'",
        "--",
        "--\n",
        "#",
        "\n",
        "/*",
        "/*!",
        "/*!50000",
        "/*M!",
        "*/",
        "$$",
        "$a$",
        "$1",
        "$",
        "E'",
        "e'\\",
        "U&'",
        "N'",
        ";",
        "(",
        ")",
        ",",
        ".",
        "*",
        " ",
        "WITH",
        "AS",
        "DELETE",
        "FROM",
        "UPDATE",
        "SET",
        "INSERT",
        "INTO",
        "EXPLAIN",
        "ANALYZE",
        "CREATE",
        "TRIGGER",
        "COPY",
        "LOAD",
        "JOIN",
        "USING",
        "cake",
        "é",
        "\u{1F370}",
    ]);
    let piece = prop_oneof![8 => known.prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Insignificant text that may be between two words.
fn gap(backend: DbBackend) -> impl Strategy<Value = String> {
    let mut gaps =
        vec![" ", "\n", "\t ", "/* c */", "/* ' */", "/* \" ; */", "/* $$ */", "-- it's;\n", " -- \" /*\n", "/**/"];
    match backend {
        DbBackend::Postgres => gaps.push("/* a /* nested ' */ b */"),
        DbBackend::MySql => gaps.extend(["# it's\n", "/*! */", " /*!50000 */ "]),
        _ => {}
    }
    prop::sample::select(gaps).prop_map(|gap| format!(" {gap} "))
}

/// A value that a statement can contain, with text in it that looks like another statement.
fn literal(backend: DbBackend) -> impl Strategy<Value = String> {
    let mut literals =
        vec!["1", "''", "'it''s'", "'; DELETE FROM b; '", "'-- '", "'/*'", "'*/'", "'$$'", "'\"'", "'`'"];
    match backend {
        DbBackend::Postgres => {
            literals.extend(["$$ it's; $$", "$a$ $$ ; DELETE FROM b; $a$", "E'\\''", "e'it\\'s; /*'", "'\\'", "$1"]);
        }
        DbBackend::MySql => literals.extend(["'\\''", "'a\\\\'", "\"it's\"", "\"\\\"; DELETE FROM b\"", "5--1"]),
        _ => literals.push("'\\'"),
    }
    prop::sample::select(literals).prop_map(str::to_owned)
}

/// A text that writes `cake` and nothing else, after others that read.
fn texts() -> impl Strategy<Value = (DbBackend, String)> {
    prop::sample::select(BACKENDS.to_vec()).prop_flat_map(|backend| {
        let quote = if backend == DbBackend::MySql { '`' } else { '"' };
        let table =
            prop_oneof![Just("cake".to_owned()), Just(format!("{quote}cake{quote}")), Just("s.cake".to_owned())];
        let read = prop::collection::vec((gap(backend), literal(backend)), 0..3).prop_map(|parts| {
            parts
                .into_iter()
                .map(|(gap, literal)| ["SELECT", &gap, &literal, ";"].concat())
                .collect::<Vec<_>>()
                .concat()
        });
        (read, table, 0..4_usize, prop::collection::vec(gap(backend), 5), literal(backend)).prop_map(
            move |(read, table, kind, gaps, literal)| {
                let mut words = match kind {
                    0 => format!("INSERT INTO {table} VALUES ({literal})"),
                    1 => format!("UPDATE {table} SET x ={literal}"),
                    2 => format!("DELETE FROM {table} WHERE x={literal}"),
                    _ => format!("WITH y AS (SELECT 5) DELETE FROM {table}"),
                };
                // Replaces each of the first blanks by a gap, from the end so that earlier positions stay valid.
                let blanks: Vec<usize> = words.match_indices(' ').map(|(at, _)| at).take(3).collect();
                for (at, gap) in blanks.into_iter().zip(&gaps).rev() {
                    words.replace_range(at..=at, gap);
                }
                let write = format!("{}{words}", gaps[4]);
                (backend, format!("{read}{write}"))
            },
        )
    })
}

proptest! {
    #[test]
    fn any_text_is_read_to_its_end(text in pieces()) {
        for backend in BACKENDS {
            prop_assert_eq!(read(&text, backend), read(&text, backend));
        }
    }

    #[test]
    fn comments_and_strings_hide_no_write_and_feign_none((backend, text) in texts()) {
        let reading = read(&text, backend);
        let found: Vec<_> = reading.writes.iter().map(|write| &*write.table).collect();
        prop_assert_eq!(found, ["cake"], "{:?}: {}", backend, text);
        prop_assert_eq!(reading.unread, None, "{:?}: {}", backend, text);
    }
}

/// Inputs that fuzzing found to increase coverage, as stored by `fuzz/run.py`.
#[test]
fn kept_inputs_of_fuzzing_are_read_to_their_end() {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/sql.hex");
    let kept = std::fs::read_to_string(kept).unwrap_or_else(|error| panic!("{kept}: {error}"));
    assert!(kept.lines().count() > 10);
    for line in kept.lines() {
        let bytes = (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16));
        let text = bytes.collect::<Result<Vec<_>, _>>().unwrap();
        let text = String::from_utf8_lossy(&text);
        for backend in BACKENDS {
            assert_eq!(read(&text, backend), read(&text, backend), "{text:?}");
        }
    }
}
