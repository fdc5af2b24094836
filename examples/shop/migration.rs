//! The tables. Migrations use SeaORM's own connection: their writes are not announced.

use sea_orm::{DbErr, Schema};
use sea_orm_migration::prelude::*;

use crate::entities::{author, book, category, review, shelf};

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateShop)]
    }
}

struct CreateShop;

impl MigrationName for CreateShop {
    fn name(&self) -> &'static str {
        "m20261130_000001_create_shop"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "the trait has them so, and another form would not match it")]
#[async_trait::async_trait]
impl MigrationTrait for CreateShop {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let schema = Schema::new(manager.get_database_backend());
        for table in [
            schema.create_table_from_entity(author::Entity),
            schema.create_table_from_entity(category::Entity),
            schema.create_table_from_entity(book::Entity),
            schema.create_table_from_entity(shelf::Entity),
            schema.create_table_from_entity(review::Entity),
        ] {
            manager.create_table(table).await?;
        }
        Ok(())
    }
}
