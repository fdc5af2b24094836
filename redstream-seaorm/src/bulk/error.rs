//! Errors of bulk operations that were refused because their rows could not be announced.

use sea_orm::DbErr;

use crate::error::{ErrorKind, carry, find};

/// A bulk operation that was refused. Nothing of the batch is written. It comes in a [`DbErr`], as all errors of the
/// adapter do: [`BulkError::of`] finds it there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BulkError {
    /// The closure added no column.
    #[error("a bulk update of `{table}` that sets nothing")]
    SetsNothing {
        /// The table.
        table: String,
    },

    /// An insert has no rows to choose from.
    #[error("a filter has no meaning for an insert into `{table}`: leave it out")]
    FilteredInsert {
        /// The table.
        table: String,
    },

    /// The rows are to be returned, and the database has no RETURNING for this.
    #[error(
        "this database does not give back the rows of `{table}` that {verb} wrote (it has no RETURNING for that, or SeaORM's \
         feature for it is off): use `{instead}`, and read them"
    )]
    NoReturning {
        /// The table.
        table: String,
        /// The statement's.
        verb: &'static str,
        /// The form that needs no RETURNING.
        instead: &'static str,
    },

    /// The update gives rows new keys, which cannot be known.
    #[error(
        "this update sets a column of the primary key of `{table}`, and this database does not tell the new keys (it has no \
         RETURNING for updates): name the old and the new keys with `producer.bulk_keys(&db, [old, new], …)`"
    )]
    RenamedKeys {
        /// The table.
        table: String,
    },

    /// The database stored rows under other keys than it was given, and does not tell which.
    #[error(
        "the database stored rows of `{table}` under other keys than it was given or they had, and does not tell which (a \
         trigger, the scale or the precision of the key's column): give the keys as the database stores them, or name the \
         old and the new ones with `producer.bulk_keys(&db, keys, …)`"
    )]
    RewrittenKeys {
        /// The table.
        table: String,
    },

    /// A trigger gives rows new keys while they are updated batch by batch, so that a later batch would meet them
    /// again.
    #[error(
        "a trigger of `{table}` gives rows that are updated batch by batch new keys behind those of the batch, so that later batches \
         would update them again: use `update_returning`, or a batch size above the number of rows"
    )]
    MovedKeys {
        /// The table.
        table: String,
    },

    /// A key of PostgreSQL's type `time` is `24:00:00`, which no type of Rust has: it is read as midnight, the key of
    /// another row.
    #[error(
        "a row of `{table}` has a key with the time 24:00:00, which is read as 00:00:00, the key of another row: give it another key \
         by SQL"
    )]
    TimeBeyondMidnight {
        /// The table.
        table: String,
    },

    /// Models of one upsert have one key, and the database does not tell whether each of them wrote the row of that
    /// key.
    #[error(
        "several models of this upsert into `{table}` have the same key, and this database does not tell the rows that it wrote (it has \
         no RETURNING): one of them may have updated a row of another key. Give each key once a batch"
    )]
    RepeatedKeys {
        /// The table.
        table: String,
    },

    /// A record that was named has no row after a bulk operation that wrote rows of its table.
    #[error(
        "no row of `{table}` has the key {key} after this bulk operation, which inserted or updated rows of it: the database may \
         have stored one under another key (a trigger, the scale or the precision of the key's column). Name only records \
         that it writes, by the keys that the database has; or use `Bulk`; or declare the key `#[streamed(exact_key)]`"
    )]
    UnknownRow {
        /// The table.
        table: String,
        /// The key that was named, as JSON.
        key: String,
    },

    /// The key is made by the database, and cannot be known.
    #[error(
        "a row for `{table}` has no key, and this database does not tell the one it makes (it has no RETURNING, and the key \
         is not one that counts up): set the keys beforehand"
    )]
    UnknownKey {
        /// The table.
        table: String,
    },

    /// The row that is updated on a conflict may have another key than the model.
    #[error(
        "this upsert into `{table}` can update a row of another key than the model's, and this database does not tell which (it \
         has no RETURNING): make the primary key the conflict's target and set it in every model, or look the keys \
         up and name them with `producer.bulk_keys(&db, keys, …)`"
    )]
    UnknownConflict {
        /// The table.
        table: String,
    },

    /// It did: `MySQL` and `MariaDB` take a conflict in any unique index for one in the key.
    #[error(
        "this upsert into `{table}` met a conflict in another unique index than the primary key, and so updated a row of \
         another key than the model's: look the keys up and name them with `producer.bulk_keys(&db, keys, …)`"
    )]
    ConflictElsewhere {
        /// The table.
        table: String,
    },

    /// The row that is updated on a conflict may have had another parent than the model's.
    #[error(
        "this upsert into `{table}` can update a row of another key than the model's, whose parents are not known: make the primary \
         key the conflict's target, or look the keys up and name them with `producer.bulk_keys(&db, keys, …)`"
    )]
    UnknownParents {
        /// The table.
        table: String,
    },

    /// The row that is updated on a conflict gets a new key, and its old one cannot be known.
    #[error(
        "this upsert sets a column of the primary key of `{table}` on a conflict, which could give another row a new key: \
         leave the key's columns out of what it updates"
    )]
    ConflictRenames {
        /// The table.
        table: String,
    },
}

impl From<BulkError> for DbErr {
    fn from(error: BulkError) -> Self {
        carry(ErrorKind::Refused, error)
    }
}

impl BulkError {
    /// The refusal that SeaORM carries in this error, if it does.
    #[must_use]
    pub fn of(error: &DbErr) -> Option<&Self> {
        find(error)
    }
}
