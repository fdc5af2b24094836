//! Texts of SQL, and what they write.

mod mysql;
mod postgres;
mod sqlite;

use super::*;

/// Each write, and `? HEAD` for what is not understood.
fn found(backend: DbBackend, sql: &str) -> String {
    let reading = read(sql, backend);
    let mut each: Vec<String> = reading.writes.iter().map(|write| format!("{} {}", write.verb, write.table)).collect();
    each.extend(reading.unread.map(|unread| format!("? {}", unread.statement)));
    each.join(", ")
}

fn check(backend: DbBackend, cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        assert_eq!(found(backend, sql), *expected, "{sql}");
    }
}

#[test]
fn statements_that_write_are_found_on_every_backend() {
    let cases = [
        (r#"INSERT INTO "cake" ("name") VALUES ('a;b') RETURNING "id""#, "INSERT cake"),
        ("insert into cake default values", "INSERT cake"),
        ("UPDATE cake SET a = 1 WHERE x IN (SELECT 1 FROM b)", "UPDATE cake"),
        ("/* hi */ -- UPDATE b\n DELETE FROM cake WHERE id = 1", "DELETE cake"),
        ("INSERT INTO a SELECT * FROM b", "INSERT a"),
        ("INSERT INTO a VALUES (1) ON CONFLICT (id) DO UPDATE SET x = 1", "INSERT a"),
        ("WITH x AS (SELECT 1) UPDATE cake SET a = 1", "UPDATE cake"),
        ("WITH x (a, b) AS (SELECT 1, 2), y AS (SELECT 3) DELETE FROM cake", "DELETE cake"),
        ("SELECT 'UPDATE cake' ; DELETE FROM cake; UPDATE b SET x = 1;", "DELETE cake, UPDATE b"),
        (";; DELETE FROM cake", "DELETE cake"),
        ("DELETE FROM cake WHERE name = 'it''s; DELETE FROM b'", "DELETE cake"),
    ];
    for backend in [DbBackend::Sqlite, DbBackend::Postgres, DbBackend::MySql] {
        check(backend, &cases);
    }
}

#[test]
fn statements_that_only_read_or_define_are_not() {
    let cases = [
        "SELECT * FROM cake FOR UPDATE",
        "WITH x AS (SELECT 1) SELECT * FROM cake FOR UPDATE",
        "(SELECT 1) UNION (SELECT 2)",
        "CREATE TABLE a (x int REFERENCES cake ON DELETE CASCADE ON UPDATE CASCADE)",
        "DROP TABLE cake",
        "ALTER TABLE cake ADD COLUMN x int",
        "SELECT a_function_that_writes()",
        "EXPLAIN DELETE FROM cake",
        "BEGIN",
        "",
    ];
    for backend in [DbBackend::Sqlite, DbBackend::Postgres, DbBackend::MySql] {
        check(backend, &cases.map(|sql| (sql, "")));
    }
}

#[test]
fn a_table_that_is_made_of_rows_is_written() {
    let cases = [
        ("CREATE TABLE cake AS SELECT 1", "CREATE cake"),
        ("CREATE TABLE IF NOT EXISTS s.cake AS SELECT * FROM b", "CREATE cake"),
        ("CREATE TABLE cake AS WITH x AS (SELECT 1) SELECT * FROM x", "CREATE cake"),
        ("CREATE TEMPORARY TABLE cake AS VALUES (1)", "CREATE cake"),
        ("CREATE TABLE cake (id int, s.as int)", ""),
    ];
    for backend in [DbBackend::Sqlite, DbBackend::Postgres, DbBackend::MySql] {
        check(backend, &cases);
    }
    let cases = [
        ("CREATE TABLE cake SELECT 1", "CREATE cake"),
        ("CREATE TABLE cake (id int) IGNORE SELECT 1", "CREATE cake"),
        ("CREATE TABLE cake (SELECT 1)", "CREATE cake"),
        ("CREATE TABLE cake VALUES (1)", "CREATE cake"),
        ("CREATE TABLE cake (id int) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (1))", ""),
    ];
    check(DbBackend::MySql, &cases);
    let cases = [
        ("SELECT * INTO cake FROM b", "CREATE cake"),
        ("SELECT 1 AS into, b.into INTO TEMP TABLE s.cake", "CREATE cake"),
        ("SELECT 1 AS as INTO cake", "CREATE cake"),
        ("WITH x AS (SELECT 1) SELECT * INTO cake FROM x", "CREATE cake"),
        ("WITH x AS (SELECT 1 AS \"into\") INSERT INTO cake SELECT 1 FROM x", "INSERT cake"),
        ("CREATE TABLE cake PARTITION OF b FOR VALUES FROM (1) TO (2)", ""),
    ];
    check(DbBackend::Postgres, &cases);
}

#[test]
fn what_is_not_understood_may_write_any_table() {
    let cases = [
        ("CALL p()", "? CALL"),
        ("EXECUTE q", "? EXECUTE"),
        ("DELETE", "? DELETE"),
        ("INSERT INTO", "? INSERT"),
        ("UPDATE ,", "? UPDATE"),
        ("DELIMITER //", "? DELIMITER"),
        ("SELECT 1; frobnicate cake", "? frobnicate"),
        ("SELECT 1; SELECT 'x", "? SELECT"),
        ("WITH x DELETE FROM cake", "? WITH"),
    ];
    for backend in [DbBackend::Sqlite, DbBackend::Postgres, DbBackend::MySql] {
        check(backend, &cases);
    }
}

#[test]
fn what_only_sqlite_writes_so() {
    let cases = [
        ("INSERT OR REPLACE INTO cake VALUES (1)", "INSERT cake"),
        ("REPLACE INTO cake VALUES (1)", "REPLACE cake"),
        ("UPDATE OR IGNORE [cake] SET a = 1", "UPDATE cake"),
        ("DELETE FROM main.cake", "DELETE cake"),
        (r"DELETE FROM cake WHERE name = '\'; DELETE FROM b", "DELETE cake, DELETE b"),
    ];
    check(DbBackend::Sqlite, &cases);
}

#[test]
fn what_only_postgres_writes_so() {
    let cases = [
        ("UPDATE ONLY cake SET a = 1", "UPDATE cake"),
        ("DELETE FROM cake USING b WHERE b.id = cake.id", "DELETE cake"),
        (r#"TRUNCATE TABLE a, "b", ONLY public.c CASCADE"#, "TRUNCATE a, TRUNCATE b, TRUNCATE c, ? TRUNCATE"),
        ("TRUNCATE a, cascade RESTART IDENTITY RESTRICT", "TRUNCATE a, TRUNCATE cascade"),
        (
            "MERGE INTO cake USING s ON true WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT (a) VALUES (1)",
            "MERGE cake",
        ),
        (
            "WITH x AS (DELETE FROM a RETURNING *), y AS NOT MATERIALIZED (INSERT INTO b SELECT * FROM x RETURNING 1) SELECT * FROM y",
            "DELETE a, INSERT b",
        ),
        ("EXPLAIN (ANALYZE, BUFFERS) DELETE FROM cake", "DELETE cake"),
        ("EXPLAIN ANALYZE WITH x AS (SELECT 1) UPDATE cake SET a = 1", "UPDATE cake"),
        ("COPY cake (a, b) FROM STDIN", "COPY cake"),
        ("COPY cake TO STDOUT", ""),
        ("UPDATE b SET x = $$;DELETE FROM z$$, y = $1", "UPDATE b"),
        ("UPDATE b SET x = $a$;DELETE FROM z$a$; DELETE FROM c", "UPDATE b, DELETE c"),
        (r"UPDATE b SET x = E'\'; DELETE FROM z'", "UPDATE b"),
        (r"UPDATE b SET x = '\'; DELETE FROM c", "UPDATE b, DELETE c"),
        ("/* a /* b */ DELETE FROM z */ DELETE FROM c", "DELETE c"),
        ("SELECT a[1]; DELETE FROM c", "DELETE c"),
    ];
    check(DbBackend::Postgres, &cases);
}

#[test]
fn what_only_mysql_writes_so() {
    let cases = [
        ("INSERT IGNORE INTO `shop`.`cake` VALUES (1)", "INSERT cake"),
        ("REPLACE LOW_PRIORITY INTO cake VALUES (1)", "REPLACE cake"),
        ("UPDATE a, shop.b SET a.x = b.x, a.y = 1", "UPDATE a, UPDATE b"),
        ("UPDATE a JOIN b ON a.id = b.id SET a.x = 1", "UPDATE a, UPDATE b"),
        ("DELETE cake FROM cake JOIN b ON true", "DELETE cake"),
        ("DELETE c, o FROM cake AS c JOIN b ON true JOIN oven o ON true", "DELETE cake, DELETE oven"),
        ("DELETE FROM c USING cake c", "DELETE cake"),
        ("DELETE c.* FROM shop.cake c", "DELETE cake"),
        ("TRUNCATE cake", "TRUNCATE cake"),
        ("LOAD DATA LOCAL INFILE 'a' REPLACE INTO TABLE cake", "LOAD cake"),
        ("# DELETE FROM a\nDELETE FROM b", "DELETE b"),
        ("/*!40000 DELETE FROM cake */", "DELETE cake"),
        (r"UPDATE b SET x = 'it\'s; DELETE FROM z'", "UPDATE b"),
        ("ANALYZE DELETE FROM cake", "DELETE cake"),
        ("ANALYZE TABLE cake", ""),
        ("INSERT INTO a VALUES (1) ON DUPLICATE KEY UPDATE x = 1", "INSERT a"),
    ];
    check(DbBackend::MySql, &cases);
}

#[test]
fn schemas_are_told() {
    let sql = r#"INSERT INTO "shop"."cake" VALUES (1)"#;
    let write = Write { verb: "INSERT", schema: Some("shop".into()), table: "cake".into() };
    assert_eq!(read(sql, DbBackend::Postgres).writes, [write]);
}

#[test]
fn what_only_looks_like_a_comment_to_mysql_hides_nothing() {
    let cases = [
        ("SELECT 5--1; DELETE FROM cake", "DELETE cake"),
        ("SELECT 5 -- 1; DELETE FROM cake", ""),
        ("/*! DELETE */ FROM cake", "DELETE cake"),
        ("DELETE /*!50000 FROM */ cake", "DELETE cake"),
        ("/*M!100100 DELETE FROM cake */", "DELETE cake, ? /*!"),
        ("DELETE /*M!100100 QUICK */ FROM cake", "DELETE cake"),
        ("/*M!999999 DELETE FROM cake */ SELECT 1", ""),
        ("DELETE /* '*/ FROM cake", "DELETE cake"),
    ];
    check(DbBackend::MySql, &cases);
}
