//! The outbox's table for sea-orm-migration.

use sea_orm::sea_query::Table;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::table::{TABLE, table};

/// Creates the outbox's table; list it among your migrations:
///
/// ```
/// use redstream_seaorm::outbox;
/// use sea_orm_migration::{MigrationTrait, MigratorTrait};
///
/// struct Migrator;
///
/// impl MigratorTrait for Migrator {
///     fn migrations() -> Vec<Box<dyn MigrationTrait>> {
///         vec![Box::new(outbox::Migration)]
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261124_000001_create_redstream_outbox"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "the trait has them so, and another form would not match it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(table()).await
    }

    /// Drops the table, including changes that no relay has moved yet.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
