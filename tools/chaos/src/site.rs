//! The addresses of Redis, the primary database and the datastore for a process, and the time limits.

use std::time::Duration;

use anyhow::Result;
use redstream_seaorm::{BypassGuard, Insurance, Redstream, Stream, StreamedConnection};
use sea_orm::{Database, DatabaseConnection};
use serde::{Deserialize, Serialize};

use crate::item::STREAM;
use crate::keys::Keys;
use crate::kind::Kind;
use crate::place::Place;
use crate::search::site::SearchSite;

/// The consumers of every schedule.
pub(crate) const CONSUMERS: [&str; 2] = ["search", "cache"];

/// The TTL of locks.
pub(crate) const LOCK_TTL: Duration = Duration::from_millis(400);

/// The longest that a call waits for Redis.
pub(crate) const GIVE_UP: Duration = Duration::from_millis(500);

/// What insures the writes, as the schedule has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Insured {
    Redis,
    Outbox,
    RedisElseOutbox,
}

/// The addresses that one process is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Site {
    /// Its own proxy in front of Redis.
    pub(crate) redis: String,
    pub(crate) place: Place,
    pub(crate) database: String,
    /// The search path, on PostgreSQL.
    pub(crate) schema: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) keys: Keys,
    /// Whether delay messages become due before the end.
    pub(crate) repairs: bool,
    pub(crate) sink: u16,
    pub(crate) insured: Insured,
    pub(crate) removes_delays: bool,
    pub(crate) in_background: bool,
    pub(crate) waiting_alone: usize,
    pub(crate) delay_ms: u64,
    pub(crate) search: Option<SearchSite>,
}

impl Site {
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    pub(crate) async fn redstream(&self) -> Result<Redstream> {
        let options = self
            .place
            .client(&self.redis)
            .connect_timeout(Duration::from_millis(200))
            .response_timeout(Duration::from_millis(200))
            .give_up_after(GIVE_UP)
            .waiting_alone(self.waiting_alone)
            // Redis may be down when the process starts.
            .lazy();
        Ok(Redstream::connect(options).await?)
    }

    pub(crate) async fn stream(&self) -> Result<Stream> {
        Ok(self.redstream().await?.stream(STREAM)?)
    }

    /// The primary database, as SeaORM has it.
    pub(crate) async fn primary(&self) -> Result<DatabaseConnection> {
        let mut options = sea_orm::ConnectOptions::new(&self.database);
        options.max_connections(3).acquire_timeout(Duration::from_secs(8)).sqlx_logging(false);
        if let Some(schema) = &self.schema {
            options.set_schema_search_path(schema);
        }
        Ok(Database::connect(options).await?)
    }

    /// The primary database, to be written through Redstream.
    pub(crate) async fn streamed(&self, primary: DatabaseConnection) -> Result<StreamedConnection> {
        let insurance = match self.insured {
            Insured::Redis => Insurance::Redis,
            Insured::Outbox => Insurance::Outbox,
            Insured::RedisElseOutbox => Insurance::RedisElseOutbox,
        };
        Ok(StreamedConnection::builder(primary, self.redstream().await?.producer())
            .resend_after(self.delay() / 5)
            .outbox_after(Duration::from_millis(150))
            .insurance(insurance)
            .remove_delay_messages(self.removes_delays)
            .announce_in_background(self.in_background)
            .guard(BypassGuard::Deny)
            .build())
    }
}
