//! The bypass guard: notices statements that write a streamed table and were announced by no hook and no bulk operation.
//!
//! # Layout
//! A hook leaves a [permit](permits::Permits) for the statement that follows it. [`Guard::read`] makes a `text` of what `statements` finds
//! in its `tokens`, and of the tables behind `views`; [`Guard::admit`] compares it with the streamed `tables` and the permits, and
//! answers with an [`admission`]. `control` finds statements that end a transaction.
//!
//! May use `outbox`, `entity`, `fault` and `error`.

pub(crate) mod admission;
mod control;
mod engines;
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
pub use self::tables::StreamedEntity;
pub(crate) use self::tables::Target;
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

/// How many places are remembered as warned of.
const PLACES: usize = 1000;

/// Of a statement on a watched connection.
const WAS_MISSED: &str = "a statement ran on SeaORM's own connection that writes a streamed table (`*`: may write any), and no hook told of \
     it before: its changes are missed, unless `after_save` follows for each row; write through the `StreamedConnection`, by \
     `Bulk` or `producer.bulk`";

/// What happens to a statement that writes a streamed table and goes round the hooks: an `update_many`, an `insert_many`, raw SQL
/// and the like, outside of a bulk operation. It is noticed before it runs.
///
/// It sees the statement's text. If that names a relation that is no streamed table, the database is asked, once for each name, which tables
/// are behind it: a write through a view is one of the table. What a trigger, a procedure or a foreign key's `ON DELETE CASCADE`
/// writes besides is not there to be seen.
///
/// A statement whose text does not tell what it writes (`DO`, `EXECUTE`, `CALL`) counts as a write of every streamed table;
/// [`allow_unread`](crate::hooks::allow_unread) allows one.
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
    seen: Arc<Seen>,
}

/// What the guard knows of the database, and what it has warned of: shared by all handles of one connection, whatever their mode.
#[derive(Debug)]
struct Seen {
    tables: Tables,
    views: Arc<Views>,
    warned: Mutex<HashSet<u64>>,
    /// Tables whose engine was looked at.
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

    /// Whether statements need a look at all.
    pub(crate) fn looks(&self, permits: &Permits) -> bool {
        self.mode != BypassGuard::Off || !permits.is_empty()
    }

    /// Reads a text, and asks the database about the relations that it writes and that are not known.
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

    /// Uses up a permit for each streamed table that this text writes, and tells what was promised. Errors if there is none and
    /// bypasses are denied.
    ///
    /// `lends`: also tells the tables.
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
            match permits.clone().find_map(|permits| permits.take(&found.target, found.verb)) {
                Some(promises) => admission.promised(promises),
                None => self.bypassed(&found, text.sql)?,
            }
            if lends {
                admission.lends(found.target.name());
            }
            if text.backend == DbBackend::MySql {
                let table = found.target.name().table.into_owned();
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

    /// Says of a text that has run on a connection of SeaORM's which streamed tables it wrote, but for those of which a hook has told.
    pub(crate) fn watch(&self, text: &Text<'_>, is_told: impl Fn(&Target<'_>) -> bool, failed: bool) {
        for found in text.found(&self.seen.tables) {
            if !is_told(&found.target) && !failed {
                let table = found.target.name().to_string();
                self.was_missed(text.sql, &table, found.verb);
            }
        }
        if let Some(statement) = text.unread.as_deref().filter(|_| !self.seen.tables.is_empty() && !failed) {
            self.was_missed(statement, "*", "unread");
        }
    }

    /// Of a statement that cannot be refused any more.
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
        let (table, verb) = (found.target.name().to_string(), found.verb);
        self.is_missed(Error::Bypass { table: table.clone(), verb, view: found.view() }, sql, &table, verb)
    }

    fn unread(&self, statement: &str) -> Result<(), DbErr> {
        self.is_missed(Error::Unread { statement: cut(statement) }, statement, "*", "unread")
    }

    /// What was to happen to a change that would be missed.
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

    /// Warns, once a relation, that the database did not tell what is behind it.
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

    /// Warns, once a table, of a save that was insured after its statement instead of before the commit.
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

    /// Warns, once a table, of code that calls the hook after a write and not the one before it.
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

/// As much of a statement as a message has room for.
fn cut(statement: &str) -> String {
    statement.chars().take(200).collect()
}
