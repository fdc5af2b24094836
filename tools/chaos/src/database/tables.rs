//! The tables of a primary database, for one kind of keys, and the triggers and procedures that some schedules need.

use crate::item::FIRST_GENERATED;
use crate::keys::Keys;
use crate::kind::Kind;

/// The statements that create them, each to be run separately.
///
/// `items` is the streamed table. `audit` takes every value, by triggers. `side` is a table for statements that commit.
/// `tags` contains one tag, which is unique; on SQLite a second row with it rolls the transaction back.
pub(crate) fn statements(kind: Kind, keys: Keys) -> Vec<String> {
    let id = column(kind, keys);
    let mut statements = vec![
        format!("CREATE TABLE items (id {id}, value {} NOT NULL)", text(kind)),
        "CREATE TABLE side (id INTEGER)".to_owned(),
        format!(
            "CREATE TABLE tags (tag VARCHAR(10) NOT NULL UNIQUE{})",
            if kind == Kind::Sqlite { " ON CONFLICT ROLLBACK" } else { "" }
        ),
        "INSERT INTO tags (tag) VALUES ('taken')".to_owned(),
    ];
    statements.extend(audit(kind));
    statements.extend(first_generated(kind, keys));
    statements.extend(rewriting(kind, keys));
    statements.extend(procedure(kind));
    if keys == Keys::Caseless && kind == Kind::Postgres {
        let collation = "CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)";
        statements.insert(0, collation.to_owned());
    }
    statements
}

fn text(kind: Kind) -> &'static str {
    if kind == Kind::MariaDb { "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin" } else { "TEXT" }
}

/// The primary key.
fn column(kind: Kind, keys: Keys) -> &'static str {
    match (kind, keys) {
        (Kind::Sqlite, Keys::Integer) => "INTEGER PRIMARY KEY AUTOINCREMENT",
        (Kind::Sqlite, Keys::Caseless | Keys::Citext) => "TEXT NOT NULL COLLATE NOCASE PRIMARY KEY",
        (Kind::Sqlite, Keys::Padded) => "TEXT NOT NULL COLLATE RTRIM PRIMARY KEY",
        (Kind::Sqlite, Keys::Lowered | Keys::Renamed) => "TEXT NOT NULL PRIMARY KEY",
        (Kind::Postgres, Keys::Integer) => "BIGSERIAL PRIMARY KEY",
        (Kind::Postgres, Keys::Caseless) => "TEXT COLLATE caseless PRIMARY KEY",
        (Kind::Postgres, Keys::Citext) => "CITEXT PRIMARY KEY",
        (Kind::Postgres, Keys::Padded) => "CHAR(12) PRIMARY KEY",
        (Kind::Postgres, Keys::Lowered | Keys::Renamed) => "TEXT PRIMARY KEY",
        (Kind::MariaDb, Keys::Integer) => "BIGINT AUTO_INCREMENT PRIMARY KEY",
        (Kind::MariaDb, Keys::Caseless | Keys::Citext) => {
            "VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY"
        }
        (Kind::MariaDb, Keys::Padded) => "CHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY",
        (Kind::MariaDb, Keys::Lowered | Keys::Renamed) => {
            "VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PRIMARY KEY"
        }
        (_, Keys::Decimal) => "DECIMAL(10,2) PRIMARY KEY",
    }
}

/// Every value goes to the audit table, in the transaction that writes it.
fn audit(kind: Kind) -> Vec<String> {
    let text = text(kind);
    let table = |seq: &str| {
        format!("CREATE TABLE audit (seq {seq}, id {text} NOT NULL, value {text} NOT NULL, gone BOOLEAN NOT NULL)")
    };
    let insert =
        |row: &str, gone: &str| format!("INSERT INTO audit (id, value, gone) VALUES ({row}.id, {row}.value, {gone})");
    let events = [("INSERT", "NEW", "FALSE"), ("UPDATE", "NEW", "FALSE"), ("DELETE", "OLD", "TRUE")];
    let trigger = |(event, row, gone): (&str, &str, &str)| {
        let insert = insert(row, gone);
        let body = if kind == Kind::Sqlite { format!("BEGIN {insert}; END") } else { insert };
        format!("CREATE TRIGGER audited_{event} AFTER {event} ON items FOR EACH ROW {body}")
    };
    match kind {
        Kind::Sqlite => [table("INTEGER PRIMARY KEY AUTOINCREMENT")].into_iter().chain(events.map(trigger)).collect(),
        Kind::MariaDb => [table("BIGINT AUTO_INCREMENT PRIMARY KEY")].into_iter().chain(events.map(trigger)).collect(),
        Kind::Postgres => vec![
            table("BIGSERIAL PRIMARY KEY"),
            format!(
                "CREATE FUNCTION audit_item() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF TG_OP = 'DELETE' THEN {}; ELSE {}; END IF; RETURN NULL;
                END $$",
                insert("OLD", "TRUE"),
                insert("NEW", "FALSE")
            ),
            "CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION audit_item()"
                .to_owned(),
        ],
    }
}

fn first_generated(kind: Kind, keys: Keys) -> Option<String> {
    let first = FIRST_GENERATED;
    (keys == Keys::Integer).then(|| match kind {
        Kind::Sqlite => format!("INSERT INTO sqlite_sequence (name, seq) VALUES ('items', {})", first - 1),
        Kind::Postgres => format!("ALTER SEQUENCE items_id_seq RESTART WITH {first}"),
        Kind::MariaDb => format!("ALTER TABLE items AUTO_INCREMENT = {first}"),
    })
}

/// A trigger that stores another key than the one that was given. SQLite has such triggers after the statement only.
fn rewriting(kind: Kind, keys: Keys) -> Vec<String> {
    let (event, key) = match keys {
        Keys::Lowered => ("INSERT", "LOWER(NEW.id)"),
        Keys::Renamed => {
            ("UPDATE", "CASE WHEN OLD.id LIKE '%r' THEN REPLACE(OLD.id, 'r', '') ELSE CONCAT(OLD.id, 'r') END")
        }
        _ => return Vec::new(),
    };
    match kind {
        Kind::Sqlite => {
            let of = if event == "UPDATE" { " OF value" } else { "" };
            let key = key.replace("CONCAT(OLD.id, 'r')", "OLD.id || 'r'");
            let update = format!("UPDATE items SET id = {key} WHERE rowid = NEW.rowid AND id <> {key}");
            vec![format!("CREATE TRIGGER rewriting AFTER {event}{of} ON items FOR EACH ROW BEGIN {update}; END")]
        }
        Kind::Postgres => vec![
            format!(
                "CREATE FUNCTION rewrite_key() RETURNS trigger LANGUAGE plpgsql
                    AS $$ BEGIN NEW.id = {key}; RETURN NEW; END $$"
            ),
            format!("CREATE TRIGGER rewriting BEFORE {event} ON items FOR EACH ROW EXECUTE FUNCTION rewrite_key()"),
        ],
        Kind::MariaDb => {
            vec![format!("CREATE TRIGGER rewriting BEFORE {event} ON items FOR EACH ROW SET NEW.id = {key}")]
        }
    }
}

/// A procedure that commits, if the database has procedures.
fn procedure(kind: Kind) -> Option<String> {
    match kind {
        Kind::Sqlite => None,
        Kind::Postgres => Some("CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$".to_owned()),
        Kind::MariaDb => Some("CREATE PROCEDURE commits() COMMIT".to_owned()),
    }
}
