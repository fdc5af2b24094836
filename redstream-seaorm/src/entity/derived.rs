//! The entities of the program that derive `Streamed`, registered when it is linked.

use redstream_core::{Redstream, Result};

use crate::entity::parents::Parent;
use crate::entity::streamed::{Streamed, table};
use crate::entity::streams::{EntityStream, entity_stream};

/// An entity that derives `Streamed`. Not for applications.
#[derive(Clone, Copy)]
pub struct DerivedEntity {
    /// Its schema, if it names one, and its table.
    pub(crate) table: fn() -> (Option<String>, String),
    /// The name of its Rust type.
    pub(crate) type_name: fn() -> &'static str,
    /// Its table, as errors name it.
    pub(crate) name: fn() -> String,
    /// Its stream; `None` if it has none.
    pub(crate) stream: fn(&Redstream) -> Option<Result<EntityStream>>,
    /// The tables of its parents.
    pub(crate) parents: fn() -> Vec<String>,
}

impl DerivedEntity {
    /// The entity `E`.
    pub const fn of<E: Streamed>() -> Self {
        Self {
            table: || {
                let entity = E::default();
                (entity.schema_name().map(String::from), String::from(entity.table_name()))
            },
            type_name: std::any::type_name::<E>,
            name: table::<E>,
            stream: |redstream| E::HAS_STREAM.then(|| entity_stream::<E>(redstream)),
            parents: || E::parents().iter().map(Parent::table).collect(),
        }
    }
}

inventory::collect!(DerivedEntity);

/// All of them, in no order.
pub(crate) fn derived_entities() -> impl Iterator<Item = DerivedEntity> {
    inventory::iter::<DerivedEntity>().copied()
}
