//! Testing your app: what a test wrote, and workers that run within the test.

use redstream_seaorm::drop_in as sea_orm;

use redstream_seaorm::testing::{self, Capture, assert_nothing_streamed, assert_streamed, run_until_idle};
use redstream_seaorm::{BypassGuard, ErrorKind, Indexer, RedstreamExt as _};
use redstream_servers::{REDIS_URL, shared_url};
use sea_orm::{
    ActiveModelTrait as _, ConnectionTrait as _, Database, DatabaseConnection, EntityTrait as _, Schema, Set,
    TransactionTrait as _,
};

use crate::city;
use crate::names::Names;

#[tokio::test]
async fn a_new_city_is_found() -> anyhow::Result<()> {
    let redstream = testing::connect(shared_url(REDIS_URL)?.as_str()).await?; // in a namespace of its own
    let sqlite = Database::connect("sqlite::memory:").await?;
    sqlite.execute(&Schema::new(sqlite.get_database_backend()).create_table_from_entity(city::Entity)).await?;
    let db = DatabaseConnection::builder(sqlite, redstream.producer()).guard(BypassGuard::Deny).build();
    let capture = Capture::of::<city::Entity>(&redstream).await?; // the stream's place before the writes

    let txn = db.begin().await?;
    city::ActiveModel { name: Set("Atlantis".to_owned()), ..Default::default() }.insert(&txn).await?;
    txn.rollback().await?;
    assert_nothing_streamed!(capture);

    let ulm = city::ActiveModel { name: Set("Ulm".to_owned()), ..Default::default() }.insert(&db).await?;
    assert_streamed!(capture, [&ulm]);

    // A statement without hooks is refused, before it writes.
    let bypass = city::Entity::delete_many().exec(&db).await.unwrap_err();
    assert_eq!(ErrorKind::of(&bypass), Some(ErrorKind::Refused));

    let names = Names::default();
    let indexer = redstream.of::<city::Entity>()?.consumer("search", Indexer::new(db, names.clone()));
    run_until_idle(&[&indexer]).await?; // in this task, until there is nothing to do
    assert_eq!(names.all(), ["Ulm"]);
    Ok(())
}
