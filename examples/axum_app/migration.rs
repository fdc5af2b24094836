//! Unchanged: migrations use SeaORM's own connection.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{pk_auto, string};

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreatePosts)]
    }
}

struct CreatePosts;

impl MigrationName for CreatePosts {
    fn name(&self) -> &'static str {
        "m20220120_000001_create_post_table"
    }
}

#[expect(elided_lifetimes_in_paths, reason = "the trait has them so, and another form would not match it")]
#[async_trait::async_trait]
impl MigrationTrait for CreatePosts {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut posts = Table::create();
        posts.table("posts").if_not_exists().col(pk_auto("id")).col(string("title")).col(string("text"));
        manager.create_table(posts).await
    }
}
