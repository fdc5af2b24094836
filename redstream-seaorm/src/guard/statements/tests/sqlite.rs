//! Syntax that only SQLite reads this way.

use super::*;

#[test]
fn a_string_may_name_a_table() {
    let cases = [
        ("UPDATE 'cake' SET a = 1", "UPDATE cake"),
        ("DELETE FROM main.'cake'", "DELETE cake"),
        ("INSERT INTO 'it''s' VALUES (1)", "INSERT it's"),
        (r#"UPDATE "a""b" SET x = 1"#, r#"UPDATE a"b"#),
        ("UPDATE `a``b` SET x = 1", "UPDATE a`b"),
        ("UPDATE [a b] SET x = 1", "UPDATE a b"),
    ];
    check(DbBackend::Sqlite, &cases);
}

#[test]
fn a_trigger_ends_and_what_is_behind_it_is_read() {
    let trigger =
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET x = CASE WHEN 1 THEN 2 END; DELETE FROM c; END";
    check(DbBackend::Sqlite, &[(trigger, ""), (&format!("{trigger}; DELETE FROM cake"), "DELETE cake")]);
}

#[test]
fn tokens_hide_nothing() {
    let cases = [
        ("SELECT $a('); DELETE FROM cake; --'", "DELETE cake"),
        ("-- a\rb\nDELETE FROM cake", "DELETE cake"),
        ("\u{feff}DELETE FROM \u{feff}cake", "DELETE cake"),
        ("PRAGMA writable_schema = 1", "? PRAGMA"),
        ("PRAGMA foreign_keys = 1", ""),
        ("ALTER TABLE cake RENAME TO bun", "RENAME cake, RENAME bun"),
        ("ALTER TABLE cake RENAME a TO b", ""),
        ("EXPLAIN QUERY PLAN DELETE FROM cake", ""),
    ];
    check(DbBackend::Sqlite, &cases);
}
