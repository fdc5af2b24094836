use sea_orm::DatabaseBackend::{self as DbBackend, MySql, Postgres, Sqlite};

use super::{Control, control};

#[expect(clippy::unnecessary_wraps, reason = "as `control` returns it")]
fn explicit(words: &str) -> Option<Control> {
    Some(Control::Explicit(words.to_owned()))
}

#[expect(clippy::unnecessary_wraps, reason = "as `control` returns it")]
fn implicit(words: &str) -> Option<Control> {
    Some(Control::Implicit(words.to_owned()))
}

const ALL: [DbBackend; 3] = [MySql, Postgres, Sqlite];

#[test]
fn what_ends_or_begins_a_transaction_is_found_on_every_database() {
    for backend in ALL {
        for (sql, words) in [
            ("COMMIT", "COMMIT"),
            ("  commit ;", "commit"),
            ("/* a; b */ -- c\n RollBack", "RollBack"),
            ("ROLLBACK TO x", "ROLLBACK TO"),
            ("begin", "begin"),
            ("COMMIT AND CHAIN", "COMMIT AND"),
            ("UPDATE a SET b = ';'; COMMIT", "COMMIT"),
            ("select 1;;commit;select 2", "commit"),
        ] {
            assert_eq!(control(sql, backend), explicit(words), "{sql} on {backend:?}");
        }
    }
    for sql in ["END", "START TRANSACTION", "ABORT", "PREPARE TRANSACTION 'x'"] {
        assert!(matches!(control(sql, Postgres), Some(Control::Explicit(_))), "{sql}");
    }
    assert_eq!(control("END", Sqlite), explicit("END"));
    for sql in
        ["START TRANSACTION", "XA END 'x'", "set @@session.autocommit=1", "SET @a = 1, autocommit = 1", "BEGIN WORK"]
    {
        assert!(matches!(control(sql, MySql), Some(Control::Explicit(_))), "{sql}");
    }
}

#[test]
fn what_does_neither_is_not_held_up() {
    for backend in ALL {
        for sql in [
            "",
            ";",
            "SELECT 1",
            "(SELECT 1)",
            "INSERT INTO a VALUES ('; COMMIT')",
            "UPDATE commit SET begin = 1",
            "WITH x AS (SELECT 1) SELECT * FROM x",
            "SAVEPOINT a",
            "RELEASE SAVEPOINT a",
        ] {
            assert_eq!(control(sql, backend), None, "{sql} on {backend:?}");
        }
    }
    assert_eq!(control("CREATE TABLE a (b int)", Sqlite), None);
    assert_eq!(control("CREATE TABLE a (b int)", Postgres), None);
    assert_eq!(control("DO $$ BEGIN COMMIT; END $$", Postgres), None, "PostgreSQL refuses it in a transaction");
    for sql in [
        "SET @autocommit = 1",
        "SET NAMES utf8",
        "CREATE TEMPORARY TABLE a (b int)",
        "ANALYZE SELECT 1",
        "DROP PREPARE q",
    ] {
        assert_eq!(control(sql, MySql), None, "{sql}");
    }
}

#[test]
fn the_end_of_a_body_is_no_end_of_a_transaction() {
    let trigger = "CREATE TRIGGER a AFTER INSERT ON b BEGIN UPDATE c SET d = CASE WHEN 1 THEN 2 END; SELECT 1; END";
    assert_eq!(control(trigger, Sqlite), None);
    assert_eq!(control(&format!("{trigger}; COMMIT"), Sqlite), explicit("COMMIT"));
    for arguments in ["f(begin atomic)", "f(a int DEFAULT (1), begin atomic)", "begin()"] {
        let sql = format!("CREATE FUNCTION {arguments} RETURNS int LANGUAGE sql AS $$SELECT 1$$; COMMIT; END");
        assert_eq!(control(&sql, Postgres), explicit("COMMIT"), "{sql}");
    }
    let function = "CREATE FUNCTION begin() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END";
    assert_eq!(control(function, Postgres), None);
    let function = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END";
    assert_eq!(control(function, Postgres), None);
    assert_eq!(control(&format!("{function}; COMMIT"), Postgres), explicit("COMMIT"));
}

#[test]
fn what_mariadb_commits_implicitly_is_found_wherever_it_stands() {
    for (sql, words) in [
        ("CREATE TABLE a (b int)", "CREATE TABLE"),
        ("CREATE OR REPLACE TABLE a (b int)", "CREATE OR"),
        ("CREATE TEMPORARY SEQUENCE a", "CREATE TEMPORARY"),
        ("/*! create table a (b int) */", "create table"),
        ("/*M!100100 DROP TABLE a */", "DROP TABLE"),
        ("SET STATEMENT max_statement_time = 1 FOR ALTER TABLE a ADD b int", "ALTER TABLE"),
        ("INSERT INTO a VALUES (1); TRUNCATE a", "TRUNCATE a"),
        ("SET PASSWORD FOR a = PASSWORD('secret')", "SET PASSWORD"),
        ("LOAD INDEX INTO CACHE a", "LOAD INDEX"),
        ("ANALYZE TABLE a", "ANALYZE TABLE"),
    ] {
        assert_eq!(control(sql, MySql), implicit(words), "{sql}");
    }
}

#[test]
fn what_mariadb_may_commit_is_told_apart() {
    for sql in [
        "CALL a()",
        "EXECUTE IMMEDIATE 'COMMIT'",
        "BEGIN NOT ATOMIC SELECT 1; END",
        "IF 1 THEN COMMIT; END IF",
        "a: BEGIN NOT ATOMIC COMMIT; END",
        "SET STATEMENT max_statement_time = 1 FOR EXECUTE q",
        "SOMETHING NEW",
    ] {
        assert_eq!(control(sql, MySql), Some(Control::Unknown), "{sql}");
    }
}

#[test]
fn comments_that_only_some_servers_run_are_read_both_ways() {
    for (sql, words) in [
        ("/*!80000 SELECT */ COMMIT", "COMMIT"),
        ("/*M!100100 SELECT 1 */ COMMIT", "COMMIT"),
        ("/*!99999 SELECT 1; */ COMMIT", "COMMIT"),
        ("/*!80000 COMMIT */", "COMMIT"),
        ("SELECT 1 /*!80000 + ';' */; COMMIT", "COMMIT"),
    ] {
        assert_eq!(control(sql, MySql), explicit(words), "{sql}");
    }
    assert_eq!(control("/*!80000 SELECT */ CREATE TABLE a (b int)", MySql), implicit("CREATE TABLE"));
    assert_eq!(control("/*!80000 SELECT */ CALL a()", MySql), Some(Control::Unknown));
    assert_eq!(control("/*!80000 SELECT */ /*!50701 SELECT */ SELECT 1", MySql), Some(Control::Unknown));
    assert_eq!(control("SELECT /*!80000 + */ 1", MySql), None);
}

#[test]
fn savepoints_of_the_driver_are_left_to_it() {
    let quoted = [(MySql, "`_sqlx_savepoint_1`"), (Postgres, "\"_sqlx_savepoint_1\""), (Sqlite, "[_sqlx_savepoint_1]")];
    for (backend, quoted) in quoted {
        for name in ["_sqlx_savepoint_1", "_SQLX_Savepoint_1", quoted] {
            for head in ["SAVEPOINT", "RELEASE SAVEPOINT", "release", "SELECT 1; SAVEPOINT", "ROLLBACK TO"] {
                let sql = format!("{head} {name}");
                assert!(matches!(control(&sql, backend), Some(Control::Explicit(_))), "{sql} on {backend:?}");
            }
        }
        assert_eq!(control("SAVEPOINT _sqlx", backend), None);
    }
    for (backend, name) in [
        (Sqlite, "'_sqlx_savepoint_1'"),
        (Postgres, "U&\"_sqlx\\005fsavepoint_1\""),
        (MySql, "/*! */ _sqlx_savepoint_1"),
        (MySql, "_sqlx_sävepoint_1"),
    ] {
        let sql = format!("SAVEPOINT {name}");
        assert!(matches!(control(&sql, backend), Some(Control::Explicit(_))), "{sql} on {backend:?}");
    }
}
