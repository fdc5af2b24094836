//! What the page shows: one state, of which each viewer gets the newest.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::sync::watch;

use crate::search::Search;
use crate::site::Site;

/// As many lines of the log are kept.
const LINES: usize = 60;
/// As many saves are kept.
const SAVES: usize = 8;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Board(watch::Sender<State>);

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct State {
    pub(super) database: &'static str,
    pub(super) index: &'static str,
    /// Whether the demo may stop its Redis.
    pub(super) is_redis_private: bool,
    /// Whether Redis was stopped.
    pub(super) is_redis_stopped: bool,
    /// How many cities there will be, and how many of them were inserted.
    pub(super) cities: u64,
    pub(super) loaded: u64,
    #[serde(flatten)]
    pub(super) counts: Counts,
    /// By number.
    pub(super) workers: BTreeMap<usize, Worker>,
    /// What a button has begun, and how far it is.
    pub(super) busy: Option<String>,
    pub(super) saves: VecDeque<Save>,
    pub(super) log: VecDeque<Line>,
    lines: u64,
}

/// What is counted now and then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) rows: u64,
    pub(super) documents: u64,
    /// Main messages that the index has not seen; `None` while Redis does not answer.
    pub(super) lag: Option<u64>,
    /// Entries with delay messages.
    pub(super) delayed: Option<u64>,
    /// Changes in the outbox.
    pub(super) outbox: u64,
}

/// A worker process.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Worker {
    pub(super) number: usize,
    pub(super) process: String,
    pub(super) state: WorkerState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WorkerState {
    Starting,
    Standby,
    Leads,
    Killed,
}

/// A save, and when it was found.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Save {
    pub(super) id: i64,
    pub(super) revision: i64,
    pub(super) commit_ms: u64,
    /// From the commit; `None` if it is not found yet.
    pub(super) searchable_ms: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    number: u64,
    at: u64,
    tone: Tone,
    text: String,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tone {
    Note,
    Good,
    Bad,
}

impl Board {
    pub(super) fn of(site: &Site, is_redis_private: bool) -> Self {
        let (scheme, _) = site.database_url.split_once(':').unwrap_or_default();
        let database = match scheme {
            "postgres" | "postgresql" => "PostgreSQL",
            "mysql" | "mariadb" => "MariaDB",
            _ => "SQLite",
        };
        let index = match site.search {
            Search::Embedded(_) => "tantivy",
            #[cfg(feature = "opensearch")]
            Search::Server(_) => "search server",
        };
        Self(watch::Sender::new(State { database, index, is_redis_private, ..State::default() }))
    }

    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }

    pub(super) fn is_watched(&self) -> bool {
        self.0.receiver_count() > 0
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.0.borrow())
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        self.0.send_modify(change);
    }

    /// Viewers are told only if `change` returns true.
    pub(super) fn change_if(&self, change: impl FnOnce(&mut State) -> bool) {
        self.0.send_if_modified(change);
    }

    pub(super) fn say(&self, tone: Tone, text: impl Into<String>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (at, text) = (u64::try_from(now.as_millis()).unwrap_or(u64::MAX), text.into());
        self.change(|state| {
            state.lines += 1;
            state.log.push_front(Line { number: state.lines, at, tone, text });
            state.log.truncate(LINES);
        });
    }

    /// What a button has begun, and how far it is.
    pub(super) fn busy(&self, text: impl Into<String>) {
        self.change(|state| state.busy = Some(text.into()));
    }

    /// Records a save, or that it was found.
    pub(super) fn saved(&self, save: Save) {
        self.change(|state| {
            state.saves.retain(|other| (other.id, other.revision) != (save.id, save.revision));
            state.saves.push_front(save);
            state.saves.truncate(SAVES);
        });
    }
}
