//! First words of statements of MySQL and MariaDB.

/// Those of statements that a routine may contain, and that never end a transaction.
pub(super) const PLAIN: [&str; 24] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "REPLACE",
    "WITH",
    "VALUES",
    "TABLE",
    "LOAD",
    "DO",
    "SHOW",
    "DESCRIBE",
    "DESC",
    "EXPLAIN",
    "PREPARE",
    "DEALLOCATE",
    "HANDLER",
    "CHECKSUM",
    "GET",
    "SIGNAL",
    "RESIGNAL",
    "KILL",
    "SET",
    "ANALYZE",
];
