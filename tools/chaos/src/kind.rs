//! The kinds of databases that schedules have.

use serde::{Deserialize, Serialize};

/// The kind of the primary database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    MariaDb,
}
