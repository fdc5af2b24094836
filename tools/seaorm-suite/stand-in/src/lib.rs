//! SeaORM as used by an application that was converted to Redstream: its own tests are compiled against this.
//!
//! Everything is as in [`redstream_seaorm::drop_in`], and [`Database::connect`] gives a streamed connection at once.

pub use redstream_seaorm::drop_in::*;
use redstream_seaorm::{BypassGuard, Redstream, StreamedConnection, core::ConnectOptions as RedisOptions};
use uuid::Uuid;

/// Replaces SeaORM's type.
#[derive(Debug, Default)]
pub struct Database;

impl Database {
    /// Connects to the database, and to the Redis of this test run, in a unique namespace.
    pub async fn connect(options: impl Into<ConnectOptions>) -> Result<DatabaseConnection, DbErr> {
        let db = original::Database::connect(options).await?;
        let url = std::env::var("REDSTREAM_TEST_REDIS_URL");
        let url = url.map_err(|_| DbErr::Custom("run the tests through `cargo xtask seaorm-suite`".to_owned()))?;
        let namespace = format!("suite-{}", Uuid::new_v4().simple());
        let redstream = Redstream::connect(RedisOptions::new(url).namespace(namespace)).await;
        let redstream = redstream.map_err(|error| DbErr::Custom(format!("no Redis: {error:?}")))?;
        // Their tests bypass the hooks on purpose, so it can only warn.
        Ok(StreamedConnection::builder(db, redstream.producer()).guard(BypassGuard::Warn).build())
    }
}
