//! What an upsert does on a conflict, and whether the keys of the rows it writes are known.

use std::collections::HashSet;

use sea_orm::sea_query::{InsertStatement, OnConflict, PostgresQueryBuilder};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, IdenStatic, Iterable};

use super::error::BulkError;
use super::returning::gives_back;
use crate::entity::key_query::key_columns;
use crate::entity::streamed::table;

pub(super) struct Conflict {
    pub(super) clause: OnConflict,
    /// Only rows with the models' own keys are updated, as far as the clause says.
    pub(super) is_in_key: bool,
    /// The row that is there is left alone.
    pub(super) does_nothing: bool,
    /// The names of the target's columns, if it consists of nothing else.
    target: HashSet<String>,
}

impl Conflict {
    /// Errors if a row could be written whose key cannot be known.
    pub(super) fn new<E: EntityTrait>(clause: OnConflict, db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let said = Said::of(&clause);
        let (is_in_key, does_nothing) = (said.names_key::<E>(), said.does_nothing());
        let honours_target = db.get_database_backend() != DbBackend::MySql;
        if said.sets_key::<E>(is_in_key && honours_target) {
            return Err(BulkError::ConflictRenames { table: table::<E>() }.into());
        }
        if !does_nothing && !is_in_key && !gives_back::<InsertStatement>(db) {
            return Err(BulkError::UnknownConflict { table: table::<E>() }.into());
        }
        let clause = if does_nothing && !honours_target { do_nothing_on_key::<E>() } else { clause };
        let unquoted = |name: String| name.trim_matches('"').to_owned();
        let target = said.target.unwrap_or_default().into_iter().map(unquoted).collect();
        Ok(Self { clause, is_in_key, does_nothing, target })
    }

    /// The columns of the target; `None` if it has anything else.
    pub(super) fn target<E: EntityTrait>(&self) -> Vec<E::Column> {
        let columns: Vec<_> = E::Column::iter().filter(|column| self.target.contains(column.as_str())).collect();
        if columns.len() == self.target.len() { columns } else { Vec::new() }
    }
}

/// `MySQL` has no clause for it, but can set the key to itself.
fn do_nothing_on_key<E: EntityTrait>() -> OnConflict {
    let mut clause = OnConflict::new();
    clause.do_nothing_on(key_columns::<E>());
    clause
}

/// What the clause says, in PostgreSQL's words: it does not show its content otherwise.
struct Said {
    /// The target's columns, quoted, if it consists of nothing else.
    target: Option<HashSet<String>>,
    action: String,
}

impl Said {
    fn of(clause: &OnConflict) -> Self {
        let mut insert = InsertStatement::new();
        insert.into_table("t").columns(["c"]).values_panic([1.into()]).on_conflict(clause.clone());
        let text = insert.to_string(PostgresQueryBuilder);
        let (_, said) = text.split_once(" ON CONFLICT ").unwrap_or_default();
        let action = said.find(" DO ").unwrap_or(said.len());
        let (target, action) = said.split_at(action);
        let target = target.strip_prefix('(').and_then(|target| target.strip_suffix(')'));
        let target = target.map(|columns| columns.split(", ").map(ToOwned::to_owned).collect());
        Self { target, action: action.to_owned() }
    }

    fn names_key<E: EntityTrait>(&self) -> bool {
        self.target.as_ref() == Some(&keys::<E>().collect())
    }

    fn does_nothing(&self) -> bool {
        self.action.starts_with(" DO NOTHING")
    }

    /// `to_itself`: a key is set to that of the model that met the conflict, so it does not change.
    fn sets_key<E: EntityTrait>(&self, to_itself: bool) -> bool {
        let set = self.action.strip_prefix(" DO UPDATE SET ").unwrap_or_default();
        set.split(", ").any(|set| {
            keys::<E>().any(|key| {
                let assigned = format!("{key} = ");
                let value =
                    set.split_at_checked(assigned.len()).filter(|(name, _)| name.eq_ignore_ascii_case(&assigned));
                value.is_some_and(|(_, value)| !(to_itself && value == format!("\"excluded\".{key}")))
            })
        })
    }
}

/// The key's columns, quoted.
fn keys<E: EntityTrait>() -> impl Iterator<Item = String> {
    key_columns::<E>().map(|column| format!("\"{column}\""))
}
