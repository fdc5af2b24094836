//! The records that the sinks write: cities of a primary database.

use redstream_seaorm::{Changes, Key, Streamed};
use sea_orm::Set;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed, serde::Serialize, serde::Deserialize)]
#[sea_orm(table_name = "cities")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    pub(crate) name: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

/// A new one.
pub(crate) fn city(name: &str) -> ActiveModel {
    ActiveModel { name: Set(name.to_owned()), ..Default::default() }
}

/// Records of any kind, and deletes.
pub(crate) fn changes<R>(
    version: u64,
    upserts: impl IntoIterator<Item = (i64, R)>,
    deletes: &[i64],
) -> Changes<Entity, R> {
    Changes {
        upserts: upserts.into_iter().map(|(id, record)| (Key::new(id), record)).collect(),
        deletes: deletes.iter().map(|id| Key::new(*id)).collect(),
        respelled: Vec::new(),
        version,
    }
}

/// The rows themselves, by their names.
pub(crate) fn rows<'n>(
    version: u64,
    upserts: impl IntoIterator<Item = (i64, &'n str)>,
    deletes: &[i64],
) -> Changes<Entity> {
    let row = |(id, name): (i64, &str)| (id, Model { id, name: name.to_owned() });
    changes(version, upserts.into_iter().map(row), deletes)
}

/// Ids and names, as tests compare them.
pub(crate) fn names(names: &[(i64, &str)]) -> Vec<(i64, String)> {
    names.iter().map(|(id, name)| (*id, (*name).to_owned())).collect()
}
