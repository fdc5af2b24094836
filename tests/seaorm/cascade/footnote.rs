//! A footnote names the author it quotes by an integer that is narrower than the author's key.

use redstream_seaorm::{Streamed, hooks};
use sea_orm::entity::prelude::*;

use super::super::library::author;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "footnotes")]
#[streamed(manual)]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i64,
    pub(crate) author_id: Option<i32>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(belongs_to = "author::Entity", from = "Column::AuthorId", to = "author::Column::Id", skip_fk)]
    Author,
}

impl Related<author::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Author.def()
    }
}

#[async_trait::async_trait]
impl ActiveModelBehavior for ActiveModel {
    async fn before_save<C: ConnectionTrait>(self, db: &C, insert: bool) -> Result<Self, DbErr> {
        hooks::touch_parents::<author::Entity, _, _>(&self, db, insert).await?;
        hooks::before_save(&self, db, insert).await?;
        Ok(self)
    }

    async fn after_save<C: ConnectionTrait>(model: Model, db: &C, insert: bool) -> Result<Model, DbErr> {
        hooks::after_save::<Entity, C>(&model, db, insert).await?;
        Ok(model)
    }

    async fn before_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
        hooks::touch_parents::<author::Entity, _, _>(&self, db, false).await?;
        hooks::before_delete(&self, db).await?;
        Ok(self)
    }

    async fn after_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
        hooks::after_delete(&self, db).await?;
        Ok(self)
    }
}
