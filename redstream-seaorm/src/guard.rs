//! The bypass guard: detects statements that write a streamed table without an announcement by a hook or bulk
//! operation.
//!
//! # Layout
//! A hook leaves a [permit](permits::Permits) for the next statement. [`Guard::read`] builds a `text` from what
//! `statements` finds in its `tokens`, and from the tables behind `views`; [`Guard::admit`] compares it with the
//! streamed `tables` and the permits, and returns an [`admission`]. `control` finds statements that end a transaction.
//!
//! May use `outbox`, `entity`, `fault` and `error`.

pub(crate) mod admission;
mod control;
mod engines;
mod first_words;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub(crate) mod permits;
mod statements;
mod tables;
mod text;
mod tokens;
mod views;

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redstream_core::metrics;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait};

pub(crate) use self::control::{Control, control};
pub(crate) use self::tables::WrittenTable;
pub(crate) use self::text::Text;
pub(crate) use self::views::Changing;

use self::admission::Admission;
use self::permits::Permits;
use self::statements::read as reading_of;
use self::tables::Tables;
use self::text::Found;
use self::views::Views;
use crate::entity::table_name::TableName;
use crate::error::Error;

/// How many warned-of texts are remembered.
const PLACES: usize = 1000;

/// Of a statement on a watched connection.
const WAS_MISSED: &str = "a statement ran on SeaORM's own connection that writes a streamed table (`*`: may write any), and no hook told of \
     it before: its changes are missed, unless `after_save` follows for each row; write through the `StreamedConnection`, by \
     `Bulk` or `producer.bulk`";

/// What happens to a statement that writes a streamed table and bypasses the hooks: an `update_many`, an `insert_many`,
/// raw SQL and the like, outside of a bulk operation. It is detected before it runs.
///
/// The guard reads the statement's text. If that names a relation that is no streamed table, the database is asked,
/// once for each name, which tables are behind it: a write through a view is a write of the table. Writes by a trigger,
/// a procedure or a foreign key's `ON DELETE CASCADE` cannot be seen in the text.
///
/// A statement whose text does not say what it writes (`DO`, `EXECUTE`, `CALL`) counts as a write of every streamed
/// table; [`allow_unread`](crate::hooks::allow_unread) allows one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BypassGuard {
    /// It runs, and a warning says which table it writes and what to do instead; once for each text. The default.
    #[default]
    Warn,
    /// It is refused with [`Error::Bypass`] or [`Error::Unread`].
    Deny,
    /// It runs.
    Off,
}

/// How many tables a text of SQL writes: the check that each statement gets, exposed for benchmarks.
pub fn tables_written(sql: &str, backend: DbBackend) -> usize {
    reading_of(sql, backend).writes.len()
}

/// The tables that a text of SQL writes, each with its schema if the text names one, and whether the text may also
/// write any other table: the guard's reading of a statement, to be compared with what a database does.
pub fn written(sql: &str, backend: DbBackend) -> (Vec<(Option<String>, String)>, bool) {
    let reading = reading_of(sql, backend);
    let each = reading.writes.into_iter().map(|write| (write.schema.map(Cow::into_owned), write.table.into_owned()));
    (each.collect(), reading.unread.is_some())
}

#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) mode: BypassGuard,
    seen: Arc<Seen>,
}

/// What the guard knows of the database, and the warnings it has given: shared by all handles of one connection,
/// whatever their mode.
#[derive(Debug)]
struct Seen {
    tables: Tables,
    views: Arc<Views>,
    warned: Mutex<HashSet<u64>>,
    /// Tables whose engine was checked.
    looked_at: RwLock<HashSet<String>>,
}

impl Guard {
    pub(crate) fn new(mode: BypassGuard) -> Self {
        let seen = Seen {
            tables: Tables::known(),
            views: Arc::default(),
            warned: Mutex::default(),
            looked_at: RwLock::default(),
        };
        Self { mode, seen: Arc::new(seen) }
    }

    /// The same guard in another mode.
    pub(crate) fn with_mode(&self, mode: BypassGuard) -> Self {
        Self { mode, seen: self.seen.clone() }
    }

    pub(crate) fn learn<E: EntityTrait>(&self) {
        self.seen.tables.learn::<E>();
    }

    /// Whether statements need to be checked at all.
    pub(crate) fn looks(&self, permits: &Permits) -> bool {
        self.mode != BypassGuard::Off || !permits.is_empty()
    }

    /// Parses a text, and asks the database about unknown relations that it writes.
    pub(crate) async fn read<'a>(&self, sql: &'a str, backend: DbBackend, db: &impl ConnectionTrait) -> Text<'a> {
        let mut text = Text::read(sql, backend);
        if self.mode == BypassGuard::Off || db.is_mock_connection() {
            return text;
        }
        for at in 0..text.writes.len() {
            if text.is_streamed(at, &self.seen.tables) {
                continue;
            }
            let write = &text.writes[at];
            let name = (write.schema.as_deref(), &*write.table);
            if crate::outbox::is_table(name.1) || self.seen.tables.is_empty() {
                continue;
            }
            let behind = match self.seen.views.known(name) {
                Some(behind) => Ok(behind),
                None => Box::pin(self.seen.views.ask(name, backend, db)).await,
            };
            match behind {
                Ok(behind) => text.resolve(at, behind),
                Err(error) => self.is_unknown(&TableName::new(name.0, name.1), &error),
            }
        }
        text
    }

    /// Consumes a permit for each streamed table that this text writes, and returns what was promised. Errors if there
    /// is none and bypasses are denied.
    ///
    /// `lends`: also returns the tables.
    pub(crate) fn admit<'p>(
        &self,
        text: &Text<'_>,
        permits: &(impl Iterator<Item = &'p Permits> + Clone),
        lends: bool,
    ) -> Result<Admission, DbErr> {
        let mut admission = Admission::default();
        let mut is_meant = false;
        for found in text.found(&self.seen.tables) {
            is_meant = true;
            match permits.clone().find_map(|permits| permits.take(&found.written, found.verb)) {
                Some(promises) => admission.promised(promises),
                None => self.bypassed(&found, text.sql)?,
            }
            if lends {
                admission.lends(found.written.name());
            }
            if text.backend == DbBackend::MySql {
                let table = found.written.name().table.into_owned();
                if self.is_first_write(&table) {
                    admission.writes_first(table);
                }
            }
        }
        if let Some(statement) = text.unread.as_deref().filter(|_| !self.seen.tables.is_empty()) {
            if !permits.clone().any(Permits::take_unread) {
                self.unread(statement)?;
            }
            if lends {
                admission.lends_unread();
            }
        }
        let may_write = !text.writes.is_empty() || text.unread.is_some();
        if may_write && !is_meant {
            permits.clone().for_each(Permits::passed_by);
        }
        if text.defines && self.mode != BypassGuard::Off {
            admission.changes(Changing::begin(&self.seen.views));
        }
        Ok(admission)
    }

    /// Reports which streamed tables a text has written that has run on a connection of SeaORM's, except tables that a
    /// hook has announced.
    pub(crate) fn watch(&self, text: &Text<'_>, is_told: impl Fn(&WrittenTable<'_>) -> bool, failed: bool) {
        for found in text.found(&self.seen.tables) {
            if !is_told(&found.written) && !failed {
                let table = found.written.name().to_string();
                self.was_missed(text.sql, &table, found.verb);
            }
        }
        if let Some(statement) = text.unread.as_deref().filter(|_| !self.seen.tables.is_empty() && !failed) {
            self.was_missed(statement, "*", "unread");
        }
    }

    /// For a statement that has already run and cannot be refused.
    fn was_missed(&self, sql: &str, table: &str, kind: &'static str) {
        ::metrics::counter!(metrics::BYPASSES, "table" => table.to_owned()).increment(1);
        let statement = cut(sql);
        if self.mode == BypassGuard::Deny {
            tracing::error!(table, kind, statement, "{WAS_MISSED}");
        } else if self.is_new(sql) {
            tracing::warn!(table, kind, statement, "{WAS_MISSED}");
        }
    }

    fn is_first_write(&self, table: &str) -> bool {
        let known = self.seen.looked_at.read().unwrap_or_else(PoisonError::into_inner).contains(table);
        !known && self.seen.looked_at.write().unwrap_or_else(PoisonError::into_inner).insert(table.to_owned())
    }

    fn bypassed(&self, found: &Found<'_>, sql: &str) -> Result<(), DbErr> {
        let (table, verb) = (found.written.name().to_string(), found.verb);
        self.is_missed(Error::Bypass { table: table.clone(), verb, view: found.view() }, sql, &table, verb)
    }

    fn unread(&self, statement: &str) -> Result<(), DbErr> {
        self.is_missed(Error::Unread { statement: cut(statement) }, statement, "*", "unread")
    }

    /// Handles a change that would be missed, as the mode says.
    fn is_missed(&self, error: Error, sql: &str, table: &str, kind: &str) -> Result<(), DbErr> {
        if self.mode == BypassGuard::Off {
            return Ok(());
        }
        ::metrics::counter!(metrics::BYPASSES, "table" => table.to_owned()).increment(1);
        if self.mode == BypassGuard::Deny {
            return Err(error.into());
        }
        if self.is_new(sql) {
            tracing::warn!(table, kind, statement = cut(sql), "{error}");
        }
        Ok(())
    }

    /// Warns, once per relation, that the database did not tell what is behind it.
    fn is_unknown(&self, relation: &TableName, error: &DbErr) {
        let relation = relation.to_string();
        if self.is_new(&relation) {
            tracing::warn!(
                relation,
                %error,
                "the database does not tell whether this relation is a view of a streamed table: if it is, its changes are missed"
            );
        }
    }

    /// Warns, once per table, of a save that was insured after its statement instead of before the commit.
    pub(crate) fn ran_late(&self, table: &TableName, passed: bool) {
        let table = table.to_string();
        if !self.is_new(&table) {
            return;
        }
        if passed {
            tracing::warn!(
                table,
                "the statement that followed a hook of this table was not recognized as a write of it: the change is insured only now, \
                 after its commit, and a crash in between would miss it; save in a transaction"
            );
        } else {
            tracing::warn!(
                table,
                "a statement ran in another task than its hook: a wrapper of the streamed connection moves statements to tasks \
                 of its own; the change is insured only now, after its commit, and a crash in between would miss it; save in a \
                 transaction, or put that wrapper below the streamed connection"
            );
        }
    }

    /// Warns, once per table, of code that calls the hook after a write and not the one before it.
    pub(crate) fn hook_missed(&self, table: &TableName) {
        let table = table.to_string();
        if self.is_new(&format!("hook missed: {table}")) {
            tracing::warn!(
                table,
                "the hook after a write was called without the hook before it: the change is insured only now, after its commit, \
                 and a crash in between would miss it; call both hooks of a save or delete, or write in a transaction"
            );
        }
    }

    fn is_new(&self, text: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let mut warned = self.seen.warned.lock().unwrap_or_else(PoisonError::into_inner);
        warned.len() < PLACES && warned.insert(hasher.finish())
    }
}

/// The beginning of a statement, as long as a message allows.
fn cut(statement: &str) -> String {
    statement.chars().take(200).collect()
}
