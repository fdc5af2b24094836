//! The primary database of one schedule. A trigger writes every value to an audit table, in the transaction that writes
//! it, so that what was ever committed is known.

mod tables;

use std::collections::BTreeMap;

use anyhow::Result;
use redstream_seaorm::outbox;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, EntityTrait as _, Statement};
use tempfile::TempDir;

use crate::item::{Item as _, with_entity};
use crate::keys::Keys;
use crate::kind::Kind;
use crate::shared::{Shared, connect, execute};

pub(crate) struct Primary {
    pub(crate) url: String,
    /// The search path, on PostgreSQL.
    pub(crate) schema: Option<String>,
    pub(crate) keys: Keys,
    connection: DatabaseConnection,
    place: Place,
}

/// What must be removed in the end.
enum Place {
    File(#[expect(dead_code, reason = "held for its Drop")] TempDir),
    Schema(String),
    Database(String),
}

/// A value that was committed.
#[derive(Clone, Debug)]
pub(crate) struct Audited {
    pub(crate) seq: i64,
    pub(crate) id: String,
    pub(crate) value: String,
    /// The row was deleted; the value is its last one.
    pub(crate) gone: bool,
}

impl Primary {
    /// An empty one, on one of the shared servers or in a file of its own.
    pub(crate) async fn create(kind: Kind, keys: Keys, shared: &Shared, seed: u64) -> Result<Self> {
        let name = format!("chaos_{seed}");
        let (url, schema, place) = match kind {
            Kind::Sqlite => {
                let memory = std::path::Path::new("/dev/shm");
                let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
                let directory = tempfile::Builder::new().prefix("redstream-chaos-").tempdir_in(parent)?;
                let url = format!("sqlite://{}?mode=rwc", directory.path().join("primary.db").display());
                (url, None, Place::File(directory))
            }
            Kind::Postgres => {
                let create = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
                execute(&shared.postgres, &create).await?;
                (shared.postgres.clone(), Some(format!("{name},public")), Place::Schema(name))
            }
            Kind::MariaDb => {
                let create = format!("CREATE OR REPLACE DATABASE {name}");
                execute(&shared.mariadb("mysql"), &create).await?;
                (shared.mariadb(&name), None, Place::Database(name))
            }
        };
        let connection = connect(&url, schema.as_deref()).await?;
        if kind == Kind::Sqlite {
            connection.execute_unprepared("PRAGMA journal_mode = WAL").await?;
        }
        for statement in tables::statements(kind, keys) {
            connection.execute_unprepared(&statement).await?;
        }
        outbox::create_table(&connection).await?;
        Ok(Self { url, schema, keys, connection, place })
    }

    /// The committed rows: value by the spelling of the key that the database has stored.
    pub(crate) async fn rows(&self) -> Result<BTreeMap<String, String>> {
        with_entity!(self.keys, E => {
            let rows = E::find().all(&self.connection).await?;
            Ok(rows.into_iter().map(E::parts).collect())
        })
    }

    /// Inserts an item for each value, with the numbers from `first` on. No process hears of it. Returns the keys that
    /// the database has stored.
    pub(crate) async fn insert(&self, first: i64, values: Vec<String>) -> Result<Vec<String>> {
        let items = (first..).zip(&values);
        with_entity!(self.keys, E => {
            let item = |(number, value): (i64, &String)| E::active(Some(&self.keys.spellings(number)[0]), Some(value.clone()));
            E::insert_many(items.map(item)).exec_without_returning(&self.connection).await?;
        });
        let rows = self.rows().await?;
        Ok(rows.into_iter().filter(|(_, value)| values.contains(value)).map(|(id, _)| id).collect())
    }

    /// Another connection to it.
    pub(crate) async fn another(&self) -> Result<DatabaseConnection> {
        connect(&self.url, self.schema.as_deref()).await
    }

    /// All values ever committed, in the order in which it was written.
    pub(crate) async fn audit(&self) -> Result<Vec<Audited>> {
        let mut audited = Vec::new();
        for row in self.query("SELECT seq, id, value, gone FROM audit ORDER BY seq").await? {
            audited.push(Audited {
                seq: row.try_get("", "seq")?,
                id: row.try_get("", "id")?,
                value: row.try_get("", "value")?,
                gone: row.try_get("", "gone")?,
            });
        }
        Ok(audited)
    }

    /// How many rows wait in the outbox.
    pub(crate) async fn outbox(&self) -> Result<usize> {
        Ok(self.query("SELECT id FROM redstream_outbox").await?.len())
    }

    pub(crate) async fn remove(self) -> Result<()> {
        let drop = match &self.place {
            Place::File(_) => None,
            Place::Schema(name) => Some(format!("DROP SCHEMA {name} CASCADE")),
            Place::Database(name) => Some(format!("DROP DATABASE {name}")),
        };
        if let Some(drop) = drop {
            self.connection.execute_unprepared(&drop).await?;
        }
        Ok(self.connection.close().await?)
    }

    async fn query(&self, sql: &str) -> Result<Vec<sea_orm::QueryResult>> {
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        Ok(self.connection.query_all_raw(statement).await?)
    }
}
