//! Access to the readers of SQL texts, for fuzzing. Not part of the public interface.

use sea_orm::DbBackend;

use super::statements::read;

/// A text of SQL, as the guard reads it for each database.
///
/// # Panics
///
/// If it is read in two ways, which it must not be.
pub fn sql(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for backend in [DbBackend::Sqlite, DbBackend::Postgres, DbBackend::MySql] {
        // As `Guard::admit` does: twice, with the same result.
        assert_eq!(read(&text, backend), read(&text, backend));
    }
}
