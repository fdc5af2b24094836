//! Into your own app: a model and a function of the application, after two of the three edits.

use redstream_seaorm::drop_in as sea_orm; // 1. the one line, in each file that uses SeaORM

use redstream_seaorm::Streamed;
use sea_orm::{DatabaseConnection, DbErr, Set, TransactionTrait as _, entity::prelude::*};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)] // 2. `Streamed`, on each model that others follow
#[sea_orm(table_name = "cities")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    pub(crate) name: String,
    /// In seconds since 1970: see the guide of soft deletes.
    pub(crate) deleted_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

/// As it was: its connection is now the streamed one.
pub(crate) async fn rename(db: &DatabaseConnection, id: i64, name: &str) -> Result<Model, DbErr> {
    let txn = db.begin().await?;
    let city = ActiveModel { id: Set(id), name: Set(name.to_owned()), ..Default::default() }.update(&txn).await?;
    txn.commit().await?;
    Ok(city)
}
