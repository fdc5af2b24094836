//! What an update changes, by the columns that its model sets.

use sea_orm::{ActiveModelTrait, EntityTrait, Iterable, PrimaryKeyToColumn};

use crate::entity::parents::leads_to_parent;
use crate::entity::streamed::Streamed;

/// What an update does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It sets nothing: SeaORM sends no statement.
    None,
    /// It sets only columns that are not watched.
    Silent,
    Announced,
}

impl Change {
    pub(super) fn of<A>(model: &A) -> Self
    where
        A: ActiveModelTrait,
        A::Entity: Streamed,
    {
        let mut change = Self::None;
        for column in <A::Entity as EntityTrait>::Column::iter() {
            let of_key = <A::Entity as EntityTrait>::PrimaryKey::from_column(column).is_some();
            if !of_key && model.get(column).is_set() {
                if A::Entity::is_watched(&column) || leads_to_parent::<A::Entity>(&column) {
                    return Self::Announced;
                }
                change = Self::Silent;
            }
        }
        change
    }
}
