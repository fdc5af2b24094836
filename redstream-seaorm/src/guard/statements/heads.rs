//! Classifies a statement by its first word.

use sea_orm::DbBackend;

use super::Reader;

/// Statements that only read, or change schema, rights and settings.
const HARMLESS: [&str; 61] = [
    "SHOW",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "START",
    "END",
    "ABORT",
    "DROP",
    "GRANT",
    "REVOKE",
    "LOCK",
    "UNLOCK",
    "USE",
    "VALUES",
    "TABLE",
    "VACUUM",
    "REINDEX",
    "COMMENT",
    "LISTEN",
    "NOTIFY",
    "UNLISTEN",
    "DISCARD",
    "RESET",
    "DEALLOCATE",
    "CLOSE",
    "FETCH",
    "MOVE",
    "DECLARE",
    "CHECKPOINT",
    "CLUSTER",
    "REFRESH",
    "SECURITY",
    "REASSIGN",
    "ATTACH",
    "DETACH",
    "OPTIMIZE",
    "CHECK",
    "CHECKSUM",
    "REPAIR",
    "FLUSH",
    "KILL",
    "HANDLER",
    "HELP",
    "CACHE",
    "INSTALL",
    "UNINSTALL",
    "XA",
    "GET",
    "PURGE",
    "CHANGE",
    "STOP",
    "SHUTDOWN",
    "BACKUP",
    "IMPORT",
    "SIGNAL",
    "RESIGNAL",
    "CLONE",
    "RESTART",
    "DIAGNOSTICS",
    "ANALYSE",
];

impl<'a> Reader<'a> {
    /// Reads the statement after its first word.
    pub(super) fn begins_with(&mut self, head: &'a str) {
        let is = |keyword: &str| head.eq_ignore_ascii_case(keyword);
        let (is_mysql, is_postgres) = (self.backend == DbBackend::MySql, self.backend == DbBackend::Postgres);
        match head.len() {
            6 if is("SELECT") => {
                if is_postgres {
                    self.selected();
                }
            }
            4 if is("DROP") && is_postgres => self.dropped(),
            6 if is("INSERT") => self.inserted("INSERT"),
            6 if is("UPDATE") => self.updated(),
            6 if is("DELETE") => self.deleted(),
            4 if is("WITH") => self.with(),
            7 if is("EXPLAIN") => self.explain(),
            4 | 8 if is("DESC") || is("DESCRIBE") => self.explain(),
            6 if is("CREATE") => self.create(),
            5 if is("ALTER") => self.alter(),
            3 if is("SET") => self.set(),
            7 if is("PREPARE") => self.prepare(),
            7 if is("REPLACE") && !is_postgres => self.inserted("REPLACE"),
            5 if is("MERGE") && is_postgres => self.merged(),
            8 if is("TRUNCATE") => self.truncated(),
            4 if is("COPY") && is_postgres => self.copied(),
            4 if is("LOAD") && is_mysql => self.loaded(),
            4 if is("LOAD") && is_postgres => {}
            2 if is("DO") && is_mysql => {}
            7 if is("ANALYZE") && is_mysql => self.analyze(),
            7 if is("ANALYZE") => {}
            6 if is("RENAME") && is_mysql => self.renamed(),
            6 if is("PRAGMA") => self.pragma(),
            // `BEGIN NOT ATOMIC …` runs what follows.
            5 if is("BEGIN") => {
                if self.accept("NOT") {
                    self.not_understood();
                }
            }
            7 if is("EXECUTE") && is_mysql => self.execute(),
            _ => {
                if !HARMLESS.iter().any(|harmless| is(harmless)) {
                    self.not_understood();
                }
            }
        }
    }
}
