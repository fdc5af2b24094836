//! The tables behind relations that statements write and that are no streamed tables: views and partitions.
//!
//! The text of a statement does not show them, so the database is asked, once for each name. The answers are dropped
//! when a statement of this connection changes a view; changes by other programs are not seen before that.

mod lookup;
mod mariadb;
mod sqlite;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use crate::entity::table_name::{TableName, folded};

/// At this number of answers the cache is cleared: a program may write tables with ever new names.
const MANY: usize = 10_000;

/// The tables that a write of a relation may also write.
#[derive(Debug, Default)]
pub(super) struct Behind {
    pub(super) tables: Vec<TableName>,
    /// It is a view whose definition may not be read.
    pub(super) hidden: bool,
}

#[derive(Debug, Default)]
pub(super) struct Views {
    answers: Mutex<Answers>,
    /// Statements and transactions in progress that change views.
    changing: AtomicUsize,
}

#[derive(Debug, Default)]
struct Answers {
    /// By schema, in lower case and empty if the statement names none, and table.
    known: HashMap<String, HashMap<String, Arc<Behind>, RandomState>, RandomState>,
    count: usize,
    /// How often the cache was cleared.
    generation: u64,
}

impl Answers {
    fn keep(&mut self, schema: Option<&str>, table: &str, behind: Arc<Behind>) {
        let of_schema = self.known.entry(folded(schema.unwrap_or_default()).into_owned()).or_default();
        self.count += usize::from(of_schema.insert(folded(table).into_owned(), behind).is_none());
    }

    fn forget(&mut self) {
        self.known.clear();
        self.count = 0;
    }
}

impl Views {
    /// The cached answer for a relation.
    pub(super) fn known(&self, (schema, table): (Option<&str>, &str)) -> Option<Arc<Behind>> {
        let answers = self.answers();
        let of_schema = answers.known.get(&*folded(schema.unwrap_or_default()))?;
        of_schema.get(&*folded(table)).cloned()
    }

    /// Asks the database what is behind a relation.
    pub(super) async fn ask(
        &self,
        (schema, table): (Option<&str>, &str),
        backend: DbBackend,
        db: &impl ConnectionTrait,
    ) -> Result<Arc<Behind>, DbErr> {
        let generation = self.answers().generation;
        let name = TableName::new(schema, table);
        let behind = Arc::new(lookup::behind(name.clone(), backend, db).await?);
        tracing::debug!(relation = %name, ?behind, "asked what is behind a relation");
        let mut answers = self.answers();
        // An answer from before a change must not stay in the cache. Other transactions do not see yet what an open one
        // has changed.
        if answers.generation == generation && self.changing.load(SeqCst) == 0 {
            if answers.count >= MANY {
                answers.forget();
            }
            answers.keep(schema, table, behind.clone());
        }
        drop(answers);
        Ok(behind)
    }

    fn forget(&self) {
        let mut answers = self.answers();
        answers.forget();
        answers.generation += 1;
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While this exists, a statement or a transaction that changes views is in progress, so no answer is cached.
#[derive(Debug)]
pub(crate) struct Changing(Arc<Views>);

impl Changing {
    pub(super) fn begin(views: &Arc<Views>) -> Self {
        views.changing.fetch_add(1, SeqCst);
        views.forget();
        Self(views.clone())
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.0.forget();
        self.0.changing.fetch_sub(1, SeqCst);
    }
}
