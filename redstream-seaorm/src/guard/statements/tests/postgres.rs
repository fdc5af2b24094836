//! Syntax that only PostgreSQL reads this way.

use super::*;

#[test]
fn names_are_decoded() {
    let long = format!("UPDATE {} SET x = 1", "a".repeat(64));
    let cut = format!("UPDATE {}", "a".repeat(63));
    let cases = [
        (r#"UPDATE U&"c\0061ke" SET x = 1"#, "UPDATE cake"),
        (r#"UPDATE U&"c!0061ke" UESCAPE '!' SET x = 1"#, "UPDATE cake"),
        (r#"UPDATE u&"\+00006327" SET x = 1"#, "UPDATE c27"),
        (r#"UPDATE "a""b" SET x = 1"#, r#"UPDATE a"b"#),
        ("UPDATE ignore SET x = 1", "UPDATE ignore"),
        (&long, &cut),
    ];
    check(DbBackend::Postgres, &cases);
}

#[test]
fn statements_within_others_are_found() {
    let cases = [
        ("DO $$BEGIN DELETE FROM cake; END$$", "? DO"),
        ("PREPARE q AS UPDATE cake SET a = 1", "UPDATE cake"),
        ("PREPARE q (int) AS DELETE FROM cake; EXECUTE q (1)", "DELETE cake, ? EXECUTE"),
        ("UPDATE ONLY (cake) SET a = 1", "UPDATE cake"),
        ("COPY (DELETE FROM cake RETURNING 1) TO STDOUT", "DELETE cake"),
        ("INSERT INTO a WITH x AS (DELETE FROM cake RETURNING 1) SELECT * FROM x", "INSERT a, DELETE cake"),
        ("((WITH x AS (DELETE FROM cake RETURNING 1) SELECT 1))", "DELETE cake"),
        ("WITH update AS (SELECT 1) DELETE FROM cake", "DELETE cake"),
        (r#"EXPLAIN ("analyze") DELETE FROM cake"#, "DELETE cake"),
        ("CREATE TABLE x AS EXECUTE q", "CREATE x, ? CREATE"),
        ("CREATE TABLE x AS WITH y AS (DELETE FROM cake RETURNING 1) SELECT 1", "CREATE x, DELETE cake"),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC DELETE FROM b; END; DELETE FROM cake", "DELETE cake"),
        ("ALTER TABLE cake RENAME TO bun", "RENAME cake, RENAME bun"),
        ("ALTER TABLE cake ATTACH PARTITION bun DEFAULT", "ALTER cake, ALTER bun"),
        ("SET standard_conforming_strings = off", "? SET"),
        ("SET standard_conforming_strings = on", ""),
    ];
    check(DbBackend::Postgres, &cases);
}

#[test]
fn strings_and_comments_end_as_the_server_ends_them() {
    let cases = [
        ("SELECT $é$ ' ; $$ $é$; DELETE FROM cake", "DELETE cake"),
        ("SELECT E'a'\n'\\'; DELETE FROM b'", ""),
        ("SELECT 'a'\n'\\'; DELETE FROM cake", "DELETE cake"),
        ("-- ' \rDELETE FROM cake", "DELETE cake"),
        ("SELECT 1$$;$$; DELETE FROM cake", "DELETE cake"),
        ("SELECT $$; DELETE FROM b", "? SELECT"),
    ];
    check(DbBackend::Postgres, &cases);
}

#[test]
fn common_table_expressions_within_others_are_found() {
    let cases = [
        (
            "CREATE TABLE p AS WITH x AS (WITH y AS (SELECT 1) DELETE FROM cake RETURNING id) SELECT id FROM x",
            "CREATE p, DELETE cake",
        ),
        (
            "INSERT INTO p WITH x AS (WITH y AS (SELECT 1) UPDATE cake SET a = 1 RETURNING id) SELECT id FROM x",
            "INSERT p, UPDATE cake",
        ),
        (
            "EXPLAIN ANALYZE CREATE TABLE p AS WITH x AS (WITH y AS (SELECT 1) INSERT INTO cake SELECT 1 RETURNING id) SELECT 1",
            "CREATE p, INSERT cake",
        ),
        (
            "WITH x AS (INSERT INTO p WITH y AS (SELECT 1) SELECT 1 RETURNING 1) DELETE FROM cake",
            "INSERT p, DELETE cake",
        ),
        (
            "WITH x AS (INSERT INTO p SELECT 1 AS width RETURNING 1), y AS (UPDATE b SET a = 1 RETURNING 1) DELETE FROM cake",
            "INSERT p, UPDATE b, DELETE cake",
        ),
    ];
    check(DbBackend::Postgres, &cases);
}

#[test]
fn settings_that_change_how_strings_are_read_are_not_understood() {
    let cases = [
        ("SELECT set_config('standard_conforming_strings', 'off', false)", "? SELECT"),
        (r#"SELECT pg_catalog."set_config"('Standard_Conforming_Strings', 'off', false)"#, "? SELECT"),
        (r#"SELECT U&"set\005fconfig"('standard_conforming_strings', 'off', false)"#, "? SELECT"),
        ("SELECT set_config($1, $2, true)", "? SELECT"),
        ("SELECT set_config('standard' || '_conforming_strings', 'off', true)", "? SELECT"),
        ("SELECT set_config(E'standard_'\n'conforming_strings', 'off', true)", "? SELECT"),
        ("SELECT set_config(is_local => true, setting_name => 'a.b', new_value => '')", "? SELECT"),
        ("INSERT INTO a SELECT set_config('client_encoding', 'SJIS', true)", "INSERT a, ? INSERT"),
        ("UPDATE pg_settings SET setting = 'off'", "UPDATE pg_settings, ? UPDATE"),
        ("ALTER ROLE a SET standard_conforming_strings = off", "? ALTER"),
        ("SET client_encoding TO 'SJIS'", "? SET"),
        ("SET NAMES 'BIG5'", "? SET"),
        ("SET NAMES 'UTF8'", ""),
        ("SELECT set_config('app.user', $1, true)", ""),
        ("SELECT set_config('search_path', 'a', true)", ""),
        ("SELECT config & 1, a_config(b) FROM configs", ""),
    ];
    check(DbBackend::Postgres, &cases);
}

#[test]
fn definitions_that_change_rows_are_writes() {
    let cases = [
        ("ALTER INDEX cake RENAME TO x", "RENAME cake, RENAME x"),
        ("ALTER INDEX IF EXISTS s.cake RENAME TO x", "RENAME cake, RENAME x"),
        ("ALTER TABLE kid INHERIT cake", "ALTER kid, ALTER cake"),
        ("ALTER TABLE kid NO INHERIT cake", "ALTER kid, ALTER cake"),
        ("ALTER TABLE cake ALTER COLUMN a TYPE int USING b + 1", "ALTER cake"),
        ("ALTER TABLE cake ADD x int, ALTER a SET DATA TYPE text COLLATE \"C\" USING b", "ALTER cake"),
        ("ALTER TABLE cake ALTER a SET EXPRESSION AS (b + 1)", "ALTER cake"),
        ("ALTER TABLE cake ALTER a TYPE int, ADD EXCLUDE USING gist (a WITH =)", ""),
        ("ALTER TABLE cake ADD PRIMARY KEY USING INDEX i", ""),
        ("DROP SCHEMA s CASCADE", "? DROP"),
        ("DROP SCHEMA s", ""),
        ("DROP OWNED BY a", "? DROP"),
        ("DROP VIEW cake", ""),
    ];
    check(DbBackend::Postgres, &cases);
}

#[test]
fn tables_that_are_dropped_are_told() {
    let cases = [("DROP TABLE a", "a"), ("DROP FOREIGN TABLE IF EXISTS s.a, b CASCADE", "a b"), ("DROP VIEW a", "")];
    for (sql, expected) in cases {
        let reading = read(sql, DbBackend::Postgres);
        let dropped: Vec<_> = reading.drops.iter().map(|dropped| &*dropped.table).collect();
        assert_eq!(dropped.join(" "), expected, "{sql}");
    }
}

#[test]
fn what_only_looks_like_a_body_runs() {
    let cases = [
        (
            "CREATE FUNCTION f(begin atomic) RETURNS int LANGUAGE sql AS $$SELECT 1$$; DELETE FROM cake; END",
            "DELETE cake",
        ),
        (
            "CREATE RULE function AS ON UPDATE TO x DO ALSO SELECT 1 FROM begin atomic; DELETE FROM cake; END",
            "DELETE cake",
        ),
        ("CREATE EVENT TRIGGER begin ON atomic EXECUTE FUNCTION f(); DELETE FROM cake; END", "DELETE cake"),
        ("CREATE OR REPLACE PROCEDURE begin(a int) BEGIN ATOMIC DELETE FROM b; END; DELETE FROM cake", "DELETE cake"),
    ];
    check(DbBackend::Postgres, &cases);
}
