//! The entity most tests write: a city, whose key the database generates.

use redstream_seaorm::Streamed;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, NotSet, Set};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "cities")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    pub(crate) name: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

/// A city to be inserted, under a key of the database's choice.
pub(crate) fn named(name: &str) -> ActiveModel {
    city(NotSet, name)
}

/// A city under a key of the test's choice.
pub(crate) fn with_key(id: i64, name: &str) -> ActiveModel {
    city(Set(id), name)
}

/// A city as read, with a new name.
pub(crate) fn renamed(model: &Model, name: &str) -> ActiveModel {
    city(ActiveValue::Unchanged(model.id), name)
}

fn city(id: ActiveValue<i64>, name: &str) -> ActiveModel {
    ActiveModel { id, name: Set(name.to_owned()) }
}
