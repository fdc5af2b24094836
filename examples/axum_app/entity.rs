//! Unchanged except for the first line and `Streamed`.

use redstream_seaorm::drop_in as sea_orm;

use redstream_seaorm::Streamed;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize, Serialize, Streamed)]
#[sea_orm(table_name = "posts")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    #[serde(skip_deserializing)]
    pub id: i32,
    pub title: String,
    pub text: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
