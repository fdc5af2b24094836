//! The table of versions for sea-orm-migration.

use sea_orm::sea_query::Table;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use crate::sql::versions::{TABLE, index, table};

/// Creates the table of versions; list it among the migrations of the *target* database:
///
/// ```
/// use redstream_sinks::sql;
/// use sea_orm_migration::{MigrationTrait, MigratorTrait};
///
/// struct Migrator;
///
/// impl MigratorTrait for Migrator {
///     fn migrations() -> Vec<Box<dyn MigrationTrait>> {
///         vec![Box::new(sql::Migration)]
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000001_create_redstream_versions"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "the trait has them so, and another form would not match it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager.create_table(table(backend)).await?;
        match index(backend) {
            Some(index) => manager.create_index(index).await,
            None => Ok(()),
        }
    }

    /// Drops the table. Without it, the sink no longer writes.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
