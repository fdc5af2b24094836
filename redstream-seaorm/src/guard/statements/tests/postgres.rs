//! What only PostgreSQL reads so.

use super::*;

#[test]
fn names_are_decoded() {
    let long = format!("UPDATE {} SET x = 1", "a".repeat(64));
    let both = format!("UPDATE {}, UPDATE {}", "a".repeat(63), "a".repeat(64));
    let cases = [
        (r#"UPDATE U&"c\0061ke" SET x = 1"#, "UPDATE cake"),
        (r#"UPDATE U&"c!0061ke" UESCAPE '!' SET x = 1"#, "UPDATE cake"),
        (r#"UPDATE u&"\+00006327" SET x = 1"#, "UPDATE c27"),
        (r#"UPDATE "a""b" SET x = 1"#, r#"UPDATE a"b"#),
        ("UPDATE ignore SET x = 1", "UPDATE ignore"),
        (&long, &both),
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
        ("CREATE TABLE x AS EXECUTE q", "? CREATE"),
        ("CREATE TABLE x AS WITH y AS (DELETE FROM cake RETURNING 1) SELECT 1", "DELETE cake"),
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
