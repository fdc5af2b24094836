//! A database with or without RETURNING, whichever database the test runs on.

use std::sync::Arc;

use redstream_seaorm::StreamedConnection;
use sea_orm::DatabaseConnection;

use crate::seaorm::world::World;
use crate::seaorm::wrappers::{Interference, Interfering};

#[derive(Debug)]
struct Returning(bool);

impl Interference for Returning {
    fn support_returning(&self) -> Option<bool> {
        Some(self.0)
    }
}

impl World {
    /// As SeaORM's features make it: `MariaDB` may have it, SQLite may not.
    pub(super) fn returning(&self, has: bool) -> StreamedConnection<Interfering<DatabaseConnection>> {
        self.interfered(Arc::new(Returning(has)))
    }
}
