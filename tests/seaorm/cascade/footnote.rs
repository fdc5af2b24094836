//! A footnote names the author it quotes by an integer that is narrower than the author's key.

use redstream_seaorm::Streamed;
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

super::super::library::touches_its_author!();
