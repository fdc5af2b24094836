//! The primary database of one schedule. A trigger writes every value to an audit table, in the transaction that writes it, so
//! that what was ever committed is known.

use std::collections::BTreeMap;

use anyhow::Result;
use redstream_seaorm::outbox;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, EntityTrait as _, Statement};
use tempfile::TempDir;

use crate::item::{Entity, FIRST_GENERATED};
use crate::schedule::Kind;

pub(crate) struct Primary {
    pub(crate) url: String,
    pub(crate) schema: Option<String>,
    connection: DatabaseConnection,
    _directory: Option<TempDir>,
}

/// A value that was committed.
#[derive(Clone, Debug)]
pub(crate) struct Audited {
    pub(crate) seq: i64,
    pub(crate) id: i64,
    pub(crate) value: String,
    /// The row was deleted; the value is its last one.
    pub(crate) gone: bool,
}

const SQLITE: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, value TEXT NOT NULL);
    CREATE TABLE audit (seq INTEGER PRIMARY KEY AUTOINCREMENT, id BIGINT NOT NULL, value TEXT NOT NULL, gone BOOLEAN NOT NULL);
    CREATE TRIGGER item_inserted AFTER INSERT ON items
        BEGIN INSERT INTO audit (id, value, gone) VALUES (NEW.id, NEW.value, FALSE); END;
    CREATE TRIGGER item_updated AFTER UPDATE ON items
        BEGIN INSERT INTO audit (id, value, gone) VALUES (NEW.id, NEW.value, FALSE); END;
    CREATE TRIGGER item_deleted AFTER DELETE ON items
        BEGIN INSERT INTO audit (id, value, gone) VALUES (OLD.id, OLD.value, TRUE); END;
";

const POSTGRES: &str = "
    CREATE TABLE items (id BIGSERIAL PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE audit (seq BIGSERIAL PRIMARY KEY, id BIGINT NOT NULL, value TEXT NOT NULL, gone BOOLEAN NOT NULL);
    CREATE FUNCTION audit_item() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'DELETE' THEN INSERT INTO audit (id, value, gone) VALUES (OLD.id, OLD.value, TRUE);
        ELSE INSERT INTO audit (id, value, gone) VALUES (NEW.id, NEW.value, FALSE); END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER item_audited AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION audit_item();
";

impl Primary {
    /// An empty one. `server`: the shared PostgreSQL.
    pub(crate) async fn create(kind: Kind, server: &str, seed: u64) -> Result<Self> {
        let first = FIRST_GENERATED;
        let primary = match kind {
            Kind::Sqlite => {
                let memory = std::path::Path::new("/dev/shm");
                let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
                let directory = tempfile::Builder::new().prefix("redstream-chaos-").tempdir_in(parent)?;
                let url = format!("sqlite://{}?mode=rwc", directory.path().join("primary.db").display());
                let connection = connect(&url, None).await?;
                let sequence = format!("INSERT INTO sqlite_sequence (name, seq) VALUES ('items', {})", first - 1);
                connection.execute_unprepared(&format!("{SQLITE}{sequence}")).await?;
                Self { url, schema: None, connection, _directory: Some(directory) }
            }
            Kind::Postgres => {
                let schema = format!("chaos_{seed}");
                let admin = connect(server, None).await?;
                let create = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
                admin.execute_unprepared(&create).await?;
                admin.close().await?;
                let connection = connect(server, Some(&schema)).await?;
                let sequence = format!("ALTER SEQUENCE items_id_seq RESTART WITH {first}");
                connection.execute_unprepared(&format!("{POSTGRES}{sequence}")).await?;
                Self { url: server.to_owned(), schema: Some(schema), connection, _directory: None }
            }
        };
        outbox::create_table(&primary.connection).await?;
        Ok(primary)
    }

    /// The committed rows: value by key.
    pub(crate) async fn rows(&self) -> Result<BTreeMap<i64, String>> {
        let rows = Entity::find().all(&self.connection).await?;
        Ok(rows.into_iter().map(|item| (item.id, item.value)).collect())
    }

    /// All that was ever committed, in the order in which it was written.
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
        if let Some(schema) = &self.schema {
            self.connection.execute_unprepared(&format!("DROP SCHEMA {schema} CASCADE")).await?;
        }
        Ok(self.connection.close().await?)
    }

    async fn query(&self, sql: &str) -> Result<Vec<sea_orm::QueryResult>> {
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        Ok(self.connection.query_all_raw(statement).await?)
    }
}

async fn connect(url: &str, schema: Option<&str>) -> Result<DatabaseConnection> {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    if let Some(schema) = schema {
        options.set_schema_search_path(schema);
    }
    Ok(Database::connect(options).await?)
}
