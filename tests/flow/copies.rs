//! The secondary datastore: a table of copies, each with the version that wrote it. An older version
//! changes nothing, and a delete leaves a tombstone.

use std::collections::BTreeMap;

use redstream_core::HandlerError;
use redstream_seaorm::{Changes, Sink};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};

use super::place::Entity as City;

/// The copies of the cities.
#[derive(Clone, Debug)]
pub(super) struct Copies(DatabaseConnection);

impl Copies {
    pub(super) async fn create(database: &DatabaseConnection) {
        let table = "CREATE TABLE copies (id INTEGER PRIMARY KEY, name TEXT, version INTEGER NOT NULL)";
        database.execute_unprepared(table).await.expect("the table of copies can be created");
    }

    pub(super) fn open(database: DatabaseConnection) -> Self {
        Self(database)
    }

    /// The copies, without the tombstones: name by id.
    pub(super) async fn names(&self) -> BTreeMap<i64, String> {
        let select = Statement::from_string(DbBackend::Sqlite, "SELECT id, name FROM copies WHERE name IS NOT NULL");
        let rows = self.0.query_all_raw(select).await.expect("the copies can be read");
        rows.iter().map(|row| row.try_get_many("", &["id", "name"].map(String::from)).expect("as selected")).collect()
    }

    /// `None`: the city was deleted.
    pub(super) async fn put(&self, id: i64, name: Option<String>, version: u64) -> Result<(), DbErr> {
        let upsert = "INSERT INTO copies (id, name, version) VALUES (?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version
            WHERE excluded.version >= copies.version";
        let values = [id.into(), name.into(), i64::try_from(version).unwrap_or(i64::MAX).into()];
        self.0.execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, upsert, values)).await?;
        Ok(())
    }
}

impl Sink<City> for Copies {
    async fn write(&self, changes: Changes<City>) -> Result<(), HandlerError> {
        for (_, city) in changes.upserts {
            self.put(city.id, Some(city.name), changes.version).await?;
        }
        for key in changes.deletes {
            self.put(key.value(), None, changes.version).await?;
        }
        Ok(())
    }
}
