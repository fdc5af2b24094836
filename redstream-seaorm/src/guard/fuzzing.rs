//! A door to what reads texts of SQL, for fuzzing. No part of the interface.

use sea_orm::DbBackend;

use super::statements::read;

/// A text of SQL, as the guard reads it for each database. It must not panic.
pub fn sql(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for backend in [DbBackend::Sqlite, DbBackend::Postgres, DbBackend::MySql] {
        // As `Guard::admit` does: twice, to the same end.
        assert_eq!(read(&text, backend), read(&text, backend));
    }
}
