//! The model under load, and its table.

use redstream_seaorm::Streamed;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "items")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i64,
    /// A new value with each write, so that a stale copy is detected.
    pub(crate) value: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
