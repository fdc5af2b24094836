//! The first datastore: an SQLite table, with the version of the batch that wrote each row.

use std::collections::BTreeMap;

use anyhow::Context as _;
use redstream_seaorm::{BoxError, Changes, HandlerError, Sink};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{Schema, Set};

use crate::item;

/// The maximum of one INSERT: SQLite counts its parameters.
const ROWS: usize = 500;

/// A copy of an item; without a value, the tombstone of one.
#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "reports")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    id: i64,
    value: Option<i64>,
    version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Debug)]
pub(crate) struct Reports(pub(crate) DatabaseConnection);

impl Sink<item::Entity> for Reports {
    async fn write(&self, changes: Changes<item::Entity>) -> Result<(), HandlerError> {
        let version = i64::try_from(changes.version).map_err(BoxError::from)?;
        let row = |id, value| ActiveModel { id: Set(id), value: Set(value), version: Set(version) };
        let upserts = changes.upserts.iter().map(|(_, item)| row(item.id, Some(item.value)));
        let rows: Vec<_> = upserts.chain(changes.deletes.iter().map(|key| row(key.value(), None))).collect();
        for rows in rows.chunks(ROWS) {
            self.put(rows).await.map_err(BoxError::from)?;
        }
        Ok(())
    }
}

impl Reports {
    /// Creates the table. Readers and a writer may be in several processes.
    pub(crate) async fn create(&self) -> anyhow::Result<()> {
        self.0.execute_unprepared("PRAGMA journal_mode = WAL").await?;
        let table = Schema::new(self.0.get_database_backend()).create_table_from_entity(Entity);
        self.0.execute(&table).await.context("cannot create the reports")?;
        Ok(())
    }

    /// Its content without tombstones.
    pub(crate) async fn items(&self) -> anyhow::Result<BTreeMap<i64, i64>> {
        let rows = Entity::find().all(&self.0).await?;
        Ok(rows.into_iter().filter_map(|row| Some((row.id, row.value?))).collect())
    }

    /// Refuses versions older than the stored one.
    async fn put(&self, rows: &[ActiveModel]) -> Result<(), DbErr> {
        let newer = Expr::cust("excluded.version >= reports.version");
        let mut conflict = OnConflict::column(Column::Id);
        conflict.update_columns([Column::Value, Column::Version]).action_and_where(newer);
        Entity::insert_many(rows.to_vec()).on_conflict(conflict).exec_without_returning(&self.0).await?;
        Ok(())
    }
}
