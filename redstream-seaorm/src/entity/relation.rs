//! Relations of SeaORM's: the columns that they lead from and to, and the children of some parents.

use std::str::FromStr;

use sea_orm::sea_query::DynIden;
use sea_orm::{EntityTrait, Identity, QueryFilter, QuerySelect, Related, Select};

use crate::entity::key::Key;
use crate::entity::key_query::{are_one_of, is_one_of, key_columns};

/// Directly by the children's foreign key if the relation uses it, so that a parent whose row is deleted still has its
/// children; otherwise by a join.
pub(crate) fn children_of<P, Ch>(parents: &[Key<P>]) -> Select<Ch>
where
    P: EntityTrait + Related<Ch>,
    Ch: EntityTrait,
{
    match foreign_key::<P, Ch>() {
        Some(columns) => Ch::find().filter(are_one_of(&columns, parents.iter().map(Key::values))),
        None => P::find_related().filter(is_one_of(parents)).distinct(),
    }
}

/// The children's columns that hold their parent's key; `None` if the relation is of another kind.
fn foreign_key<P, Ch>() -> Option<Vec<Ch::Column>>
where
    P: EntityTrait + Related<Ch>,
    Ch: EntityTrait,
{
    let relation = P::to();
    if P::via().is_some() || relation.on_condition.is_some() || !is_the_key::<P>(&relation.from_col) {
        return None;
    }
    columns_of::<Ch>(&relation.to_col)
}

/// Whether these are the columns of the entity's key, in its order.
pub(crate) fn is_the_key<P: EntityTrait>(columns: &Identity) -> bool {
    columns.iter().map(DynIden::inner).eq(key_columns::<P>())
}

/// The columns by these names; `None` if the entity has no such column.
pub(crate) fn columns_of<E: EntityTrait>(names: &Identity) -> Option<Vec<E::Column>> {
    names.iter().map(|name| E::Column::from_str(&name.inner()).ok()).collect()
}
