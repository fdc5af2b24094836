//! Syntax that only MariaDB and `MySQL` read this way.

use super::*;

#[test]
fn statements_within_others_are_found() {
    let cases = [
        ("SET STATEMENT max_statement_time = (9) FOR UPDATE cake SET a = 1", "UPDATE cake"),
        ("EXECUTE IMMEDIATE 'DELETE FROM cake'", "DELETE cake"),
        ("EXECUTE IMMEDIATE @x", "? EXECUTE"),
        ("EXECUTE IMMEDIATE 'DELETE' ' FROM cake'", "? EXECUTE"),
        ("PREPARE q FROM 'DELETE FROM cake'; EXECUTE q", "DELETE cake, ? EXECUTE"),
        ("PREPARE q FROM 'DELETE FROM ''cake'''", "? PREPARE"),
        ("BEGIN NOT ATOMIC DELETE FROM cake; END", "? BEGIN"),
        ("IF 1 THEN DELETE FROM cake; END IF", "? IF"),
        (
            "CREATE PROCEDURE p() BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; DELETE FROM b; END; DELETE FROM cake",
            "DELETE cake",
        ),
        ("CREATE PROCEDURE p() BEGIN SELECT begin; END; DELETE FROM cake", "DELETE cake, ? CREATE"),
        ("CREATE TRIGGER t AFTER INSERT ON b FOR EACH ROW BEGIN DELETE FROM c; END", ""),
        ("DO RELEASE_LOCK('a')", ""),
        ("SET sql_mode = 'ANSI_QUOTES'", "? SET"),
        ("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'", ""),
    ];
    check(DbBackend::MySql, &cases);
}

#[test]
fn what_a_name_stands_for_may_change() {
    let cases = [
        ("RENAME TABLE a TO b, s.c TO d", "RENAME a, RENAME b, RENAME c, RENAME d"),
        ("ALTER TABLE cake RENAME bun", "RENAME cake, RENAME bun"),
        ("ALTER TABLE cake RENAME COLUMN a TO b", ""),
        ("ALTER TABLE cake EXCHANGE PARTITION p WITH TABLE bun", "ALTER cake, ALTER bun"),
        ("ALTER TABLE cake TRUNCATE PARTITION p", "TRUNCATE cake"),
        ("CREATE OR REPLACE TABLE cake (x int)", "REPLACE cake"),
        ("ALTER IGNORE TABLE cake ADD UNIQUE (a)", "ALTER cake"),
        ("ALTER TABLE cake DISCARD TABLESPACE", "ALTER cake"),
        ("RENAME USER a TO b", ""),
    ];
    check(DbBackend::MySql, &cases);
}

#[test]
fn tables_of_joins_are_found() {
    let cases = [
        ("UPDATE a STRAIGHT_JOIN b ON true SET b.x = 1", "UPDATE a, UPDATE b"),
        ("UPDATE (a, b AS c) JOIN (SELECT 1 FROM d) e ON (1, 2) = (1, 2) SET a.x = 1", "UPDATE a, UPDATE b"),
        ("UPDATE { OJ a LEFT OUTER JOIN b ON true } SET b.x = 1", "UPDATE a, UPDATE b"),
        ("UPDATE { $OJ a LEFT OUTER JOIN b ON true } SET b.x = 1", "UPDATE a, UPDATE b"),
        ("DELETE FROM a USING { $a$OJ cake AS a LEFT OUTER JOIN b ON true }", "DELETE cake"),
        ("UPDATE plain $p JOIN $b AS $c ON true, s.$d SET $c.x = 1", "UPDATE plain, UPDATE $b, UPDATE $d"),
        ("DELETE c FROM a STRAIGHT_JOIN cake c", "DELETE cake"),
        (
            "UPDATE plain p JOIN plain q ON p.order = q.id JOIN cake c ON c.id = p.id SET c.x = 1",
            "UPDATE plain, UPDATE plain, UPDATE cake",
        ),
        (
            "UPDATE plain p JOIN plain q ON p . `x` = q.set JOIN cake c SET c.x = 1",
            "UPDATE plain, UPDATE plain, UPDATE cake",
        ),
        (
            "UPDATE plain p JOIN s.plain q ON s.q.where = 1. JOIN cake c SET c.x = 1",
            "UPDATE plain, UPDATE plain, UPDATE cake",
        ),
        (
            "UPDATE plain p JOIN plain q ON @limit = 1.5 JOIN cake c SET c.x = 1",
            "UPDATE plain, UPDATE plain, UPDATE cake",
        ),
        (
            "UPDATE plain p JOIN plain q ON @@session.order = 1 AND 1.JOIN cake c SET c.x = 1",
            "UPDATE plain, UPDATE plain, UPDATE cake",
        ),
        (
            "UPDATE plain p JOIN plain q ON returning = 1 JOIN cake c SET c.x = 1",
            "UPDATE plain, UPDATE plain, UPDATE cake",
        ),
        ("DELETE c FROM plain p JOIN plain q ON p.order = q.id JOIN cake c ON c.id = p.id", "DELETE cake"),
        ("UPDATE plain p USE INDEX FOR ORDER BY (PRIMARY), cake c SET c.x = 1", "UPDATE plain, UPDATE cake"),
        ("UPDATE plain p IGNORE KEY FOR JOIN (a) JOIN cake c SET c.x = 1", "UPDATE plain, UPDATE cake"),
        ("DELETE HISTORY FROM cake", "DELETE cake, DELETE HISTORY"),
        ("INSERT cake SET a = 1", "INSERT cake"),
        ("UPDATE .cake SET a = 1", "UPDATE cake"),
        ("UPDATE `a``b` SET x = 1", "UPDATE a`b"),
        ("# a\rb\nDELETE\x0bFROM cake", "DELETE cake"),
    ];
    check(DbBackend::MySql, &cases);
}

#[test]
fn character_sets_that_hide_quotes_are_not_understood() {
    let cases = [
        ("SET NAMES gbk", "? SET"),
        ("SET a = 1, NAMES 'sjis'", "? SET"),
        ("SET CHARACTER SET big5", "? SET"),
        ("SET CHARSET cp932", "? SET"),
        ("SET NAMES DEFAULT", "? SET"),
        ("SET @@session.character_set_client := gb18030", "? SET"),
        ("SET character_set_client = @x", "? SET"),
        ("SET NAMES utf8mb4 COLLATE utf8mb4_bin", ""),
        ("SET CHARACTER SET \"latin1\"", ""),
        ("/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */", ""),
        ("SET @saved_cs_client = @@character_set_client", ""),
        ("SET character_set_results = NULL", ""),
    ];
    check(DbBackend::MySql, &cases);
}

#[test]
fn what_only_looks_like_a_body_runs() {
    for body in [
        "SELECT 1 begin; DELETE FROM cake; SELECT 1 AS end",
        "SELECT (1) begin; DELETE FROM cake; SELECT 1 AS end",
        "SELECT 'a' begin; DELETE FROM cake; SELECT 1 AS end",
        "DETERMINISTIC COMMENT 'a' SELECT a.x begin; DELETE FROM cake; SELECT 1 AS end",
        "BEGIN SELECT 1 begin; END; DELETE FROM cake; SELECT 1 AS end",
        "BEGIN SELECT CASE 1 WHEN 1 THEN begin END; END; DELETE FROM cake; SELECT 1 AS end",
        "BEGIN DECLARE EXIT HANDLER FOR NOT FOUND SELECT 1 begin; END; DELETE FROM cake; SELECT 1 AS end",
        "BEGIN DO begin; END; DELETE FROM cake; SELECT 1 AS end",
        "IF begin THEN SELECT 1; END IF; DELETE FROM cake; SELECT 1 AS end",
        "FOR begin IN 1 DO SELECT 1; END FOR; DELETE FROM cake; SELECT 1 AS end",
        "BEGIN DECLARE EXIT HANDLER FOR begin SELECT 1; END; DELETE FROM cake; SELECT 1 AS end",
        "BEGIN DECLARE begin INT; END; DELETE FROM cake; SELECT 1 AS end",
        "BEGIN IF (SELECT 1 begin) THEN SELECT 1; END IF; END; DELETE FROM cake; SELECT 1 AS end",
    ] {
        let found = found(DbBackend::MySql, &format!("CREATE PROCEDURE p() {body}"));
        assert!(found.contains("DELETE cake"), "{body}: {found}");
    }
    let sql = "CREATE ROLE procedure, begin; DELETE FROM cake; CREATE ROLE end";
    assert!(found(DbBackend::MySql, sql).contains("DELETE cake"));
}

#[test]
fn bodies_do_not_run() {
    for head in [
        "CREATE OR REPLACE PROCEDURE p(IN a INT, b VARCHAR(10)) READS SQL DATA COMMENT 'a'",
        "CREATE FUNCTION f() RETURNS VARCHAR(10) CHARSET utf8 DETERMINISTIC",
        "CREATE DEFINER = a@b TRIGGER t AFTER INSERT ON b FOR EACH ROW FOLLOWS c",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY ON COMPLETION PRESERVE DO",
    ] {
        for body in [
            "BEGIN DELETE FROM b; END",
            "BEGIN NOT ATOMIC DELETE FROM b; END",
            "a: BEGIN DECLARE c INT; DECLARE EXIT HANDLER FOR SQLEXCEPTION, NOT FOUND BEGIN DELETE FROM b; END; SELECT 1; END",
            "BEGIN IF a THEN BEGIN DELETE FROM b; END; ELSEIF c THEN SELECT 1; ELSE BEGIN DELETE FROM b; END; END IF; SELECT 1; END",
            "BEGIN CASE a WHEN 1 THEN BEGIN DELETE FROM b; END; ELSE SELECT CASE WHEN 1 THEN 2 END; END CASE; DELETE FROM b; END",
            "BEGIN d: LOOP DELETE FROM b; LEAVE d; END LOOP; WHILE 1 DO BEGIN DELETE FROM b; END; END WHILE; DELETE FROM b; END",
            "BEGIN REPEAT BEGIN DELETE FROM b; END; UNTIL 1 END REPEAT; FOR x IN (SELECT 1) DO BEGIN DELETE FROM b; END; END FOR; END",
            "IF a THEN DELETE FROM b; END IF",
        ] {
            let sql = format!("{head} {body}; DELETE FROM cake");
            if body.starts_with("IF") {
                assert!(found(DbBackend::MySql, &sql).contains("DELETE cake"), "{sql}");
            } else {
                assert_eq!(found(DbBackend::MySql, &sql), "DELETE cake", "{sql}");
            }
        }
    }
}
