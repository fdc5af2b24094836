//! What an update sets, determined before it runs.

use sea_orm::sea_query::{Condition, UpdateStatement};
use sea_orm::{DbErr, EntityTrait, IdenStatic, Iterable, QueryFilter, QueryTrait, UpdateMany};

use super::error::BulkError;
use crate::entity::key_query::key_columns;
use crate::entity::parents::leads_to_parent;
use crate::entity::streamed::{Streamed, table};

pub(super) struct Update<E: EntityTrait> {
    query: UpdateMany<E>,
    /// It sets a column that is watched.
    pub(super) is_announced: bool,
    /// It sets a column of the primary key.
    pub(super) renames: bool,
    /// It sets columns of the entity alone. Another one may be an alias of the key: `rowid` of SQLite.
    pub(super) is_of_entity: bool,
}

impl<E: Streamed> Update<E> {
    /// Errors if it sets nothing.
    pub(super) fn new(set: impl FnOnce(UpdateMany<E>) -> UpdateMany<E>) -> Result<Self, DbErr> {
        let query = set(E::update_many());
        let names: Vec<String> = query.as_query().get_values().iter().map(|(name, _)| name.to_string()).collect();
        if names.is_empty() {
            return Err(BulkError::SetsNothing { table: table::<E>() }.into());
        }
        let column = |name: &String| E::Column::iter().find(|column| column.as_str() == name);
        // A column that the entity does not know may be watched or part of the key.
        let is_watched =
            |name: &String| column(name).is_none_or(|column| E::is_watched(&column) || leads_to_parent::<E>(&column));
        // MySQL, MariaDB and SQLite find a column by its name in any case.
        let of_key = |name: &String| key_columns::<E>().any(|column| column.eq_ignore_ascii_case(name));
        let renames = names.iter().any(of_key);
        let is_of_entity = names.iter().all(|name| column(name).is_some());
        Ok(Self { query, is_announced: renames || names.iter().any(is_watched), renames, is_of_entity })
    }

    /// The update of the rows that meet this.
    pub(super) fn of(&self, rows: Condition) -> UpdateStatement {
        self.query.clone().filter(rows).into_query()
    }
}
