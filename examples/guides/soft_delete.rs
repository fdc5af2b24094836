//! Soft delete: a row that is marked as deleted stays in the table, and its document goes.

use redstream_seaorm::{
    Bulk, ConnectOptions, HandlerError, Key, Redstream, RedstreamExt as _, StreamedConnection, find_by_keys,
};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait as _, Database, IntoActiveModel as _, Schema, entity::prelude::*, sea_query::Expr,
};

use crate::city;
use crate::names::Names;

/// The loader leaves out what is marked as deleted, so the sink deletes its document.
async fn alive(
    db: StreamedConnection,
    keys: Vec<Key<city::Entity>>,
) -> Result<Vec<(Key<city::Entity>, city::Model)>, HandlerError> {
    let rows = city::Entity::find().filter(city::Column::DeletedAt.is_null());
    let cities = find_by_keys(rows, &keys, &db).await?;
    Ok(cities.into_iter().map(|city| (Key::of(&city), city)).collect())
}

pub(crate) async fn run(redis: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let sqlite = Database::connect(format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display())).await?;
    sqlite.execute(&Schema::new(sqlite.get_database_backend()).create_table_from_entity(city::Entity)).await?;
    let redstream = Redstream::connect(ConnectOptions::new(redis).namespace("redstream-guide-soft-delete")).await?;
    let db = StreamedConnection::new(sqlite, redstream.producer());
    let search = Names::default();
    let workers = redstream.workers(&db).index("search", alive, search.clone()).start()?;

    let city = |name: &str| city::ActiveModel { name: Set(name.to_owned()), ..Default::default() };
    let ulm = city("Ulm").insert(&db).await?;
    city("Trier").insert(&db).await?;
    search.become_those(&["Ulm", "Trier"]).await?;

    // Deleted: an update like any other.
    let mut gone = ulm.clone().into_active_model();
    gone.deleted_at = Set(Some(1_796_000_000));
    gone.update(&db).await?;
    search.become_those(&["Trier"]).await?;

    // Restored.
    let mut restored = ulm.into_active_model();
    restored.deleted_at = Set(None);
    restored.update(&db).await?;
    search.become_those(&["Ulm", "Trier"]).await?;

    // Many at once, and purged in the end.
    let all = || Bulk::<city::Entity>::new();
    all().update_many(&db, |update| update.col_expr(city::Column::DeletedAt, Expr::value(1_796_000_000_i64))).await?;
    search.become_those(&[]).await?;
    let purged = all().filter(city::Column::DeletedAt.is_not_null()).delete_many(&db).await?;
    println!("{purged} rows were purged");

    workers.shutdown().await?;
    Ok(())
}
