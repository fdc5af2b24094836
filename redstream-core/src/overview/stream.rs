//! One stream, at one moment: by one script.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde::{Serialize, Serializer};

use crate::error::{Error, Result};
use crate::keys::DELAYER;
use crate::message::{MessageId, StreamName};
use crate::reindex::ReindexRecord;
use crate::stream::Stream;
use crate::stream::admin::delay_of_note;
use crate::transport::scripts;
use crate::transport::server::unless_forbidden;
use crate::worker::Holder;

/// How many messages of a lag are counted: a script of a few milliseconds for each 10,000.
const MOST: u64 = 100_000;

/// A stream, its consumers and its workers, as they were at one moment: see [`Stream::overview`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StreamOverview {
    /// The stream's name.
    pub name: StreamName,
    /// The time of this view by the clock of Redis, in milliseconds since 1970.
    pub at: u64,
    /// Entries with main messages, handled or not. An entry holds up to 100 messages.
    pub entries: u64,
    /// The id of the last main message ever added; `0-0` if there was none.
    #[serde(serialize_with = "text")]
    pub last_id: MessageId,
    /// The age of the oldest main message that is still there.
    #[serde(rename = "oldest_ms", serialize_with = "ms")]
    pub oldest: Option<Duration>,
    /// The stream's delay messages, and their worker.
    pub delayer: DelayerOverview,
    /// Whether some process is the trimmer now: its lock is held.
    pub trimmer_runs: bool,
    /// The process that is; `None` also if its lock names none, as that of the Ruby gem.
    pub trimmer_holder: Option<Holder>,
    /// The consumers, by name.
    pub consumers: Vec<ConsumerOverview>,
    /// The reindexes that are recorded, by id. Those of a sharded stream are recorded at the name of all shards.
    #[serde(serialize_with = "records")]
    pub reindexes: Vec<ReindexRecord>,
    /// Bytes of Redis that its main and delay messages take; `None` if the user may not ask.
    pub bytes: Option<u64>,
}

/// The delay messages of a stream, and the worker that moves them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DelayerOverview {
    /// Whether some process is the delayer now: its lock is held.
    pub runs: bool,
    /// The process that is; `None` also if its lock names none, as that of the Ruby gem.
    pub holder: Option<Holder>,
    /// Its delay, as published when it last started; `None` if none ever ran.
    #[serde(rename = "delay_ms", serialize_with = "ms")]
    pub delay: Option<Duration>,
    /// Entries with delay messages that wait. An entry holds up to 100 messages.
    pub entries: u64,
    /// The age of the oldest of them.
    #[serde(rename = "oldest_ms", serialize_with = "ms")]
    pub oldest: Option<Duration>,
    /// Entries that it could not move: see [`Stream::delayer_dead_letters`].
    pub dead_letters: u64,
}

/// A consumer of a stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConsumerOverview {
    /// Its name.
    pub name: String,
    /// Whether trimming waits for it. One of the Ruby gem has an offset alone.
    pub is_registered: bool,
    /// What ran it last, as [`Consumer::identity`](crate::Consumer::identity) says.
    pub identity: Option<String>,
    /// Whether some process works as this consumer.
    pub state: ConsumerState,
    /// The process that does; `None` also if its lock names none, as that of the Ruby gem.
    pub holder: Option<Holder>,
    /// The id of the last entry that it committed; `None` if there is none.
    #[serde(serialize_with = "maybe_text")]
    pub offset: Option<MessageId>,
    /// Messages that it has not committed, counted up to 100,000.
    pub lag: u64,
    /// There are more than `lag` says.
    pub lag_is_more: bool,
    /// The age of the oldest message that it has not committed; `None` if it has committed all.
    #[serde(rename = "behind_ms", serialize_with = "ms")]
    pub behind: Option<Duration>,
    /// Messages that it could not handle: see [`Stream::dead_letters`].
    pub dead_letters: u64,
    /// When it was registered, by the clock of Redis, in milliseconds since 1970.
    pub registered_at: Option<u64>,
}

/// Whether some process works as a consumer, and whether one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConsumerState {
    /// A process holds its lock.
    Running,
    /// No process holds its lock.
    Stopped,
    /// An operator paused it, and a process still holds its lock: until its next attempt to commit.
    Pausing,
    /// An operator paused it.
    Paused,
}

impl ConsumerState {
    fn of(is_paused: bool, lock_is_held: bool) -> Self {
        match (is_paused, lock_is_held) {
            (false, true) => Self::Running,
            (false, false) => Self::Stopped,
            (true, true) => Self::Pausing,
            (true, false) => Self::Paused,
        }
    }
}

/// As in JSON: `running`.
impl fmt::Display for ConsumerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
        })
    }
}

impl Stream {
    /// What there is of this stream at this moment: its messages, its consumers and its workers.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn overview(&self) -> Result<StreamOverview> {
        self.look(BTreeSet::new()).await
    }

    /// `others`: consumers that may not be registered.
    pub(super) async fn look(&self, others: BTreeSet<String>) -> Result<StreamOverview> {
        const ATTEMPT: &str = "look at a stream";
        let mut names = others;
        names.extend(self.consumers().await?);
        let (redstream, name) = (self.redstream(), self.name());
        let keys = redstream.keys();
        let delayed = name.delayed();
        let mut script = scripts::OVERVIEW.prepare_invoke();
        script
            .key(keys.stream(name))
            .key(keys.delay_stream(name))
            .key(keys.registry(name))
            .key(keys.registry(&delayed));
        script.key(keys.consumer_lock(&delayed, DELAYER)).key(keys.dead_letters(&delayed, DELAYER));
        script.key(keys.trimmer_lock(name));
        for consumer in &names {
            script.key(keys.offset(name, consumer)).key(keys.consumer_lock(name, consumer));
            script.key(keys.dead_letters(name, consumer)).arg(consumer);
        }
        let (reply, reindexes, bytes) = futures_util::future::try_join3(
            redstream.link().script::<Vec<String>>(ATTEMPT, &script),
            self.reindexes().list(),
            self.bytes(),
        )
        .await?;
        let mut overview = parse(name, &names, &reply)
            .ok_or_else(|| Error::UnexpectedReply { attempt: ATTEMPT.to_owned(), reply: reply.join(" ") })?;
        (overview.reindexes, overview.bytes) = (reindexes, bytes);
        let lags = overview.consumers.iter().map(|consumer| async move {
            match consumer.behind {
                Some(_) => self.lag_up_to(consumer.offset.unwrap_or(MessageId::MIN), MOST).await,
                None => Ok((0, true)),
            }
        });
        let lags = try_join_all(lags).await?;
        for (consumer, (lag, is_all)) in overview.consumers.iter_mut().zip(lags) {
            (consumer.lag, consumer.lag_is_more) = (lag, !is_all);
        }
        Ok(overview)
    }

    async fn bytes(&self) -> Result<Option<u64>> {
        let keys = self.redstream().keys();
        let keys = &[keys.stream(self.name()), keys.delay_stream(self.name())];
        let measure = |mut connection| async move {
            let mut bytes = 0;
            for key in keys {
                let usage =
                    redis::cmd("MEMORY").arg("USAGE").arg(key).query_async::<Option<u64>>(&mut connection).await;
                match unless_forbidden(usage.map(|usage| Some(usage.unwrap_or(0))))? {
                    Some(usage) => bytes += usage,
                    None => return Ok(None),
                }
            }
            Ok(Some(bytes))
        };
        self.redstream().link().run("measure a stream", measure).await
    }
}

fn parse(name: &StreamName, names: &BTreeSet<String>, reply: &[String]) -> Option<StreamOverview> {
    let (stream, consumers) = reply.split_at_checked(10)?;
    let [now, last, entries, oldest, waiting, first, note, delayer, delayer_dead, trimmer] = stream else {
        return None;
    };
    let at: u64 = now.parse().ok()?;
    let age = |id: &str| id.parse::<MessageId>().ok().map(|id| Duration::from_millis(at.saturating_sub(id.ms)));
    let consumer = |(name, fields): (&String, &[String])| {
        let [note, offset, first, lock, dead] = fields else { return None };
        let value: serde_json::Value = serde_json::from_str(note).unwrap_or_default();
        Some(ConsumerOverview {
            name: name.clone(),
            is_registered: !note.is_empty(),
            identity: value["identity"].as_str().map(str::to_owned),
            state: ConsumerState::of(value["paused"] == true, !lock.is_empty()),
            holder: Holder::of(lock),
            offset: offset.parse().ok(),
            lag: 0,
            lag_is_more: false,
            behind: age(first),
            dead_letters: dead.parse().ok()?,
            registered_at: whole(&value["registered_at"]),
        })
    };
    if consumers.len() != 5 * names.len() {
        return None;
    }
    Some(StreamOverview {
        name: name.clone(),
        at,
        entries: entries.parse().ok()?,
        last_id: last.parse().ok()?,
        oldest: age(oldest),
        delayer: DelayerOverview {
            runs: !delayer.is_empty(),
            holder: Holder::of(delayer),
            delay: delay_of_note(note),
            entries: waiting.parse().ok()?,
            oldest: age(first),
            dead_letters: delayer_dead.parse().ok()?,
        },
        trimmer_runs: !trimmer.is_empty(),
        trimmer_holder: Holder::of(trimmer),
        consumers: names.iter().zip(consumers.chunks(5)).map(consumer).collect::<Option<_>>()?,
        reindexes: Vec::new(),
        bytes: None,
    })
}

/// A number that a script wrote, as a float of up to 2^53.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time after 1970")]
fn whole(value: &serde_json::Value) -> Option<u64> {
    value.as_f64().map(|ms| ms as u64)
}

#[expect(clippy::ref_option, reason = "the form that serde wants")]
fn ms<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(crate::time::millis).serialize(serializer)
}

fn text<S: Serializer>(id: &MessageId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

#[expect(clippy::ref_option, reason = "the form that serde wants")]
fn maybe_text<S: Serializer>(id: &Option<MessageId>, serializer: S) -> Result<S::Ok, S::Error> {
    id.map(|id| id.to_string()).serialize(serializer)
}

fn records<S: Serializer>(records: &[ReindexRecord], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Named<'a> {
        id: &'a str,
        #[serde(flatten)]
        record: &'a ReindexRecord,
    }
    serializer.collect_seq(records.iter().map(|record| Named { id: &record.id, record }))
}
