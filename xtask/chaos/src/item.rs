//! What is written: items, each with a value that no other write has.

use redstream_seaorm::Streamed;
use sea_orm::entity::prelude::*;

/// The name of the stream.
pub(crate) const STREAM: &str = "items";

/// The keys that both writers save, update and delete.
pub(crate) const SHARED: std::ops::RangeInclusive<i64> = 1..=10;

/// The keys that the datastore may refuse for good.
pub(crate) const POISON: [i64; 2] = [20, 21];

/// The keys that are written only where a rollback follows.
pub(crate) const GHOSTS: std::ops::RangeInclusive<i64> = 900..=903;

/// The first key that the database generates.
pub(crate) const FIRST_GENERATED: i64 = 1000;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "items")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    pub(crate) value: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
