//! The bypass guard: notices statements that write a streamed table and were announced by no hook and no bulk operation.

mod statements;
mod tables;
mod tokens;

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use redstream_core::metrics;
use sea_orm::{DbBackend, DbErr, EntityTrait};

pub use self::tables::StreamedEntity;

use self::statements::{Write, read as reading_of};
use self::tables::Tables;
use crate::Error;
use crate::attended::Admission;
use crate::permits::Permits;

/// How many places are remembered as warned of.
const PLACES: usize = 1000;

/// What happens to a statement that writes a streamed table and goes round the hooks: an `update_many`, an `insert_many`, raw SQL
/// and the like, outside of a bulk operation. It is noticed before it runs.
///
/// It sees the statement's text. What a trigger, a procedure or a foreign key's `ON DELETE CASCADE` writes besides is not there to
/// be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BypassGuard {
    /// It runs, and a warning says which table it writes and what to do instead; once for each text. The default.
    #[default]
    Warn,
    /// It is refused with [`Error::Bypass`].
    Deny,
    /// It runs.
    Off,
}

/// How many tables a text of SQL writes: what each statement is looked at for, to be measured.
pub fn tables_written(sql: &str, backend: DbBackend) -> usize {
    reading_of(sql, backend).writes.len()
}

/// The tables that a text of SQL writes, each with its schema if the text names one, and whether the text may write any table
/// besides: what the guard knows of a statement, to be compared with what a database does.
pub fn written(sql: &str, backend: DbBackend) -> (Vec<(Option<String>, String)>, bool) {
    let reading = reading_of(sql, backend);
    let each = reading.writes.into_iter().map(|write| (write.schema.map(Cow::into_owned), write.table.into_owned()));
    (each.collect(), reading.unread.is_some())
}

#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) mode: BypassGuard,
    tables: Tables,
    warned: Mutex<HashSet<u64>>,
}

/// Reads a text as [`Guard::admit`] does: twice, to the same end.
#[cfg(feature = "fuzzing")]
pub(crate) fn read(sql: &str, backend: DbBackend) {
    assert_eq!(reading_of(sql, backend), reading_of(sql, backend));
}

impl Guard {
    pub(crate) fn new(mode: BypassGuard) -> Self {
        Self { mode, tables: Tables::known(), warned: Mutex::default() }
    }

    pub(crate) fn learn<E: EntityTrait>(&self) {
        self.tables.learn::<E>();
    }

    /// Whether statements need a look at all.
    pub(crate) fn looks(&self, permits: &Permits) -> bool {
        self.mode != BypassGuard::Off || !permits.is_empty()
    }

    /// Uses up a permit for each streamed table that this text writes, and tells what was promised. Errors where there is
    /// none and bypasses are denied.
    ///
    /// `lends`: also tells the tables.
    pub(crate) fn admit<'p>(
        &self,
        sql: &str,
        backend: DbBackend,
        permits: &(impl Iterator<Item = &'p Permits> + Clone),
        lends: bool,
    ) -> Result<Admission, DbErr> {
        let (mut promised, mut tables) = (Vec::new(), Vec::new());
        for write in reading_of(sql, backend).writes.into_iter().filter(|write| self.tables.has(write)) {
            match permits.clone().find_map(|permits| permits.take(&write.table)) {
                Some(promises) => promised.extend(promises),
                None => self.bypassed(&write, sql)?,
            }
            if lends {
                tables.push(write.table.into_owned());
            }
        }
        Ok(Admission::new(promised, tables))
    }

    fn bypassed(&self, write: &Write<'_>, sql: &str) -> Result<(), DbErr> {
        if self.mode == BypassGuard::Off {
            return Ok(());
        }
        ::metrics::counter!(metrics::BYPASSES, "table" => write.table.clone().into_owned()).increment(1);
        let error = Error::Bypass { table: write.table.clone().into_owned(), verb: write.verb };
        if self.mode == BypassGuard::Deny {
            return Err(error.into());
        }
        if self.is_new(sql) {
            let statement: String = sql.chars().take(200).collect();
            tracing::warn!(table = &*write.table, kind = write.verb, statement, "{error}");
        }
        Ok(())
    }

    /// Warns, once a table, of a wrapper by which a save was insured after its statement instead of before the commit.
    pub(crate) fn ran_elsewhere(&self, table: &str) {
        if self.is_new(table) {
            tracing::warn!(
                table,
                "a statement ran in another task than its hook: a wrapper of the streamed connection moves statements to tasks \
                 of its own; the change is insured only now, after its commit, and a crash in between would miss it; save in a \
                 transaction, or put that wrapper below the streamed connection"
            );
        }
    }

    fn is_new(&self, text: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        warned.len() < PLACES && warned.insert(hasher.finish())
    }
}
