//! What Redis has of a reindex.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::message::{MessageId, StreamName};
use crate::time::millis;

/// The longest text of a filter that is recorded as a whole.
const LONGEST_FILTER: usize = 1000;

/// A reindex, as recorded in Redis: see [`Reindexes::list`](crate::Reindexes::list).
///
/// The record is written after each chunk of keys that Redis acknowledged, so a process that continues the walk may
/// queue one chunk again, and leaves none out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReindexRecord {
    /// Its name, unique for the stream.
    #[serde(skip)]
    pub id: String,
    /// A random name of this walk. A later one of the same id has another.
    pub walk: String,
    /// What is walked, such as the table.
    pub entity: String,
    /// Which of its rows; empty for all.
    pub filter: String,
    /// Where it stands.
    pub state: ReindexState,
    /// How many rows there were about when it began.
    pub estimate: u64,
    /// How many keys were queued, and acknowledged by Redis. Keys that were queued again after a crash count again.
    pub queued: u64,
    /// What is walked, range by range.
    pub ranges: Vec<ReindexRange>,
    /// The last message queued, in each stream.
    #[serde(with = "ids")]
    pub last: BTreeMap<StreamName, MessageId>,
    /// The consumers that are waited for.
    pub consumers: Vec<String>,
    /// When it began, in milliseconds since 1970, by the clock of the process that began it.
    pub started_at: u64,
    /// When the record was written last, by the clock of the process that wrote it.
    pub updated_at: u64,
    /// How many dead letters the consumers had when it began.
    pub dead_before: u64,
    /// How many more they had when it was done.
    pub dead_letters: u64,
}

/// A range of keys of a [`ReindexRecord`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReindexRange {
    /// The last key queued. At first the last key of the range before it; null for the first range.
    pub after: Json,
    /// The last key of the range, as it was when the walk began.
    pub until: Json,
    /// Whether all of its keys are queued.
    pub done: bool,
}

/// Where a reindex stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReindexState {
    /// It is recorded, and its rows are being counted.
    Queued,
    /// It queues keys, or its process ended and it was not run again.
    Running,
    /// An operator paused it: it queues nothing until it is resumed.
    Paused,
    /// It waits for a consumer that is paused, does not run, or is far behind.
    WaitingForLag,
    /// Done: every key was queued, and every watched consumer has passed the last one.
    CaughtUp,
    /// An operator ended it. Keys that were queued are handled.
    Aborted,
}

impl ReindexState {
    /// Whether nothing more will happen: a new run of the same id begins a new walk.
    #[must_use]
    pub fn is_finished(self) -> bool {
        matches!(self, Self::CaughtUp | Self::Aborted)
    }
}

/// As in the record: `waiting_for_lag`.
impl fmt::Display for ReindexState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::WaitingForLag => "waiting_for_lag",
            Self::CaughtUp => "caught_up",
            Self::Aborted => "aborted",
        })
    }
}

impl ReindexRecord {
    pub(super) fn new(id: &str, entity: String, filter: &str) -> Self {
        Self {
            id: id.to_owned(),
            walk: uuid::Uuid::new_v4().simple().to_string(),
            entity,
            filter: bounded_filter(filter),
            state: ReindexState::Queued,
            estimate: 0,
            queued: 0,
            ranges: Vec::new(),
            last: BTreeMap::new(),
            consumers: Vec::new(),
            started_at: now(),
            updated_at: now(),
            dead_before: 0,
            dead_letters: 0,
        }
    }

    /// A record of the same walk that has queued nothing.
    pub(super) fn begun_again(&self) -> Self {
        let state = if self.state == ReindexState::Paused { self.state } else { ReindexState::Queued };
        let fresh = Self::new(&self.id, self.entity.clone(), "");
        Self { filter: self.filter.clone(), walk: self.walk.clone(), started_at: self.started_at, state, ..fresh }
    }

    /// Whether a source of this entity and filter may continue it.
    pub(super) fn is_of(&self, entity: &str, filter: &str) -> bool {
        self.entity == entity && self.filter == bounded_filter(filter)
    }

    pub(super) fn parse(id: &str, text: &str) -> Result<Self, serde_json::Error> {
        Ok(Self { id: id.to_owned(), ..serde_json::from_str(text)? })
    }

    /// The text that is stored, with the time of now.
    pub(super) fn text(&mut self) -> String {
        self.updated_at = now();
        // Strings and numbers alone: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The filter, or its beginning and a checksum of the whole: a list of thousands of values would be written with each
/// chunk.
fn bounded_filter(filter: &str) -> String {
    if filter.len() <= LONGEST_FILTER {
        return filter.to_owned();
    }
    let cut = (0..=LONGEST_FILTER).rev().find(|at| filter.is_char_boundary(*at)).unwrap_or(0);
    format!("{}… ({} bytes, CRC-32 {:08x})", &filter[..cut], filter.len(), crc32fast::hash(filter.as_bytes()))
}

fn now() -> u64 {
    millis(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Ids by stream, as texts.
mod ids {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::message::{MessageId, StreamName};

    pub(super) fn serialize<S: Serializer>(
        ids: &BTreeMap<StreamName, MessageId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(ids.iter().map(|(stream, id)| (stream.as_str(), id.to_string())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<StreamName, MessageId>, D::Error> {
        let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
        let one = |(stream, id): (String, String)| {
            Ok((StreamName::new(stream).map_err(D::Error::custom)?, id.parse().map_err(D::Error::custom)?))
        };
        texts.into_iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was() {
        let mut record = ReindexRecord::new("2026-11", "products".to_owned(), "WHERE hidden = FALSE");
        record.ranges.push(ReindexRange { after: Json::Null, until: serde_json::json!({ "id": 0.1 }), done: false });
        record.last.insert(StreamName::new("products-1").unwrap(), MessageId::new(u64::MAX, 7));
        let text = record.text();
        assert!(
            text.contains(r#""state":"queued""#) && text.contains(r#""products-1":"18446744073709551615-7""#),
            "{text}"
        );
        assert_eq!(ReindexRecord::parse("2026-11", &text).unwrap(), record);
    }

    #[test]
    fn a_long_filter_is_told_by_its_checksum() {
        let filter = |last: char| format!("{}{last}", "ä".repeat(LONGEST_FILTER));
        let record = ReindexRecord::new("1", "products".to_owned(), &filter('a'));
        assert!(record.filter.len() < 1100, "{}", record.filter.len());
        assert!(record.is_of("products", &filter('a')));
        assert!(!record.is_of("products", &filter('b')) && !record.is_of("books", &filter('a')));
    }

    #[test]
    fn states_are_told_as_they_are_recorded() {
        use ReindexState::{Aborted, CaughtUp, Paused, Queued, Running, WaitingForLag};
        for state in [Queued, Running, Paused, WaitingForLag, CaughtUp, Aborted] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.to_string());
        }
    }
}
