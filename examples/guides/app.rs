//! Into your own app: the third edit, where the application connects, and starts and stops its workers.

use redstream_seaorm::drop_in as sea_orm;

use redstream_seaorm::{ConnectOptions, Redstream, RedstreamExt as _, Rows};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Schema, Set, entity::prelude::*};

use crate::city;
use crate::names::Names;

pub(crate) async fn run(redis: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let database = format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display());
    let search = Names::default();

    // 3. The connection knows where to announce changes, and the workers start with the application.
    let redstream = Redstream::connect(ConnectOptions::new(redis).namespace("redstream-guide-app")).await?;
    let db = DatabaseConnection::new(Database::connect(database).await?, redstream.producer());
    let workers = redstream.workers(&db).index("search", Rows, search.clone()).start()?;

    let schema = Schema::new(db.get_database_backend());
    db.inner().execute(&schema.create_table_from_entity(city::Entity)).await?;
    let oslo = city::ActiveModel { name: Set("Christiania".to_owned()), ..Default::default() }.insert(&db).await?;
    city::rename(&db, oslo.id, "Oslo").await?;
    search.become_those(&["Oslo"]).await?;

    workers.shutdown().await?;
    Ok(())
}
