//! What is behind the relations that statements write and that are no streamed tables: the tables of views and partitions.
//!
//! The text of a statement does not tell it, so the database is asked, once for each name. The answers are forgotten when a
//! statement of this connection changes a view; what other programs change is not seen before that.

mod lookup;
mod mariadb;
mod sqlite;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use crate::entity::table_name::TableName;

/// With so many answers, those that are known are forgotten: a program may write tables of ever new names.
const MANY: usize = 10_000;

/// What a write of a relation may write besides.
#[derive(Debug, Default)]
pub(super) struct Behind {
    pub(super) tables: Vec<TableName>,
    /// It is a view whose definition may not be read.
    pub(super) hidden: bool,
}

#[derive(Debug, Default)]
pub(super) struct Views {
    answers: Mutex<Answers>,
    /// Statements and transactions under way that change views.
    changing: AtomicUsize,
}

#[derive(Debug, Default)]
struct Answers {
    known: HashMap<TableName, Arc<Behind>, RandomState>,
    /// How often they were forgotten.
    generation: u64,
}

impl Views {
    /// What is behind a relation, which the database is asked if it is not known.
    pub(super) async fn behind(
        &self,
        (schema, table): (Option<&str>, &str),
        backend: DbBackend,
        db: &impl ConnectionTrait,
    ) -> Result<Arc<Behind>, DbErr> {
        let name = TableName::folded(schema, table);
        let generation = {
            let answers = self.answers();
            if let Some(known) = answers.known.get(&name) {
                return Ok(known.clone());
            }
            answers.generation
        };
        let behind = Arc::new(lookup::behind(TableName::new(schema, table), backend, db).await?);
        tracing::debug!(relation = %name, ?behind, "asked what is behind a relation");
        let mut answers = self.answers();
        // An answer from before a change must not outlast it. What an open transaction has changed, others do not see yet.
        if answers.generation == generation && self.changing.load(SeqCst) == 0 {
            if answers.known.len() >= MANY {
                answers.known.clear();
            }
            answers.known.insert(name, behind.clone());
        }
        drop(answers);
        Ok(behind)
    }

    fn forget(&self) {
        let mut answers = self.answers();
        answers.known.clear();
        answers.generation += 1;
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While this lives, a statement or a transaction that changes views is under way, so no answer is kept.
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
