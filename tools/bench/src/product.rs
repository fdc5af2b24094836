//! A table whose key is a text, streamed and plain.

use anyhow::Result;
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseConnection, Schema};

/// Streamed.
pub(crate) mod streamed {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "products")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) code: String,
        pub(crate) visits: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

/// With plain `SeaORM`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "products")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) code: String,
    pub(crate) visits: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The key of the product with this number, from 1 on. They are in the order of the numbers.
pub(crate) fn code(number: usize) -> String {
    format!("product-{number:08}")
}

/// Creates the table in SQLite, with the products from 1 on, which are not announced.
pub(crate) async fn fill(db: &DatabaseConnection, count: usize) -> Result<()> {
    db.execute(&Schema::new(db.get_database_backend()).create_table_from_entity(Entity)).await?;
    let numbers = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ";
    let insert = format!("INSERT INTO products {numbers}{count}) SELECT printf('product-%08d', id), 0 FROM n");
    db.execute_unprepared(&insert).await?;
    Ok(())
}
