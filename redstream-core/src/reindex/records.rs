//! The records of a stream's reindexes, and the verbs of operators on them.

use std::collections::BTreeMap;

use super::record::{ReindexRecord, ReindexState};
use crate::error::{Error, Result};
use crate::message::StreamName;
use crate::redstream::Redstream;
use crate::transport::scripts;
use crate::worker::LockGuard;

/// The reindexes of one stream, or of all its shards, on whichever host they run: from
/// [`Stream::reindexes`](crate::Stream::reindexes).
///
/// ```no_run
/// # async fn example(redstream: redstream_core::Redstream) -> redstream_core::Result<()> {
/// let reindexes = redstream.stream("products")?.reindexes();
/// for reindex in reindexes.list().await? {
///     println!("{}: {} of {} keys, {}", reindex.id, reindex.queued, reindex.estimate, reindex.state);
/// }
/// reindexes.pause("products").await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Reindexes {
    redstream: Redstream,
    /// The stream, or the name that its shards have in common.
    name: StreamName,
}

/// The outcome of an attempt to replace a record.
#[derive(Debug)]
pub(super) enum Replaced {
    Stored,
    /// It is not what was read: the text of now, empty if there is none.
    Changed(String),
}

impl Reindexes {
    pub(crate) fn new(redstream: Redstream, name: StreamName) -> Self {
        Self { redstream, name }
    }

    /// All that are recorded, sorted by id.
    ///
    /// # Errors
    ///
    /// If Redis does not answer, or a record was written by a later version of this crate.
    pub async fn list(&self) -> Result<Vec<ReindexRecord>> {
        let mut hgetall = redis::cmd("HGETALL");
        hgetall.arg(self.redstream.keys().reindexes(&self.name));
        let texts: BTreeMap<String, String> = self.redstream.link().command("list reindexes", &hgetall).await?;
        texts.iter().map(|(id, text)| parse(id, text)).collect()
    }

    /// The one of this id; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn get(&self, id: &str) -> Result<Option<ReindexRecord>> {
        let text = self.text(id).await?;
        if text.is_empty() { Ok(None) } else { parse(id, &text).map(Some) }
    }

    /// Pauses a reindex on whichever host it runs: it queues no more keys after the chunk at hand. It stays paused,
    /// over restarts too, until [`resume`](Self::resume). Returns its state, which is a finished one if it was done
    /// already.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchReindex`] if there is none of this id; otherwise as [`list`](Self::list).
    pub async fn pause(&self, id: &str) -> Result<ReindexState> {
        self.set(id, |_| ReindexState::Paused).await
    }

    /// Lets a paused reindex continue. If its process ended, it continues when it is run again. Returns its state.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn resume(&self, id: &str) -> Result<ReindexState> {
        self.set(id, |state| if state == ReindexState::Paused { ReindexState::Running } else { state }).await
    }

    /// Ends a reindex: its process stops after the chunk at hand. Keys that are queued are handled; the next run of
    /// this id begins a new walk. Returns its state, which is [`CaughtUp`](ReindexState::CaughtUp) if it was done
    /// already.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn abort(&self, id: &str) -> Result<ReindexState> {
        self.set(id, |_| ReindexState::Aborted).await
    }

    /// Removes the record of a reindex that is done or aborted. Returns whether it was removed: one that is not
    /// finished stays.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn forget(&self, id: &str) -> Result<bool> {
        let mut text = self.text(id).await?;
        loop {
            if text.is_empty() {
                return Err(self.no_such(id).await?);
            }
            if !parse(id, &text)?.state.is_finished() {
                return Ok(false);
            }
            match self.replace(id, &text, "", None).await? {
                Replaced::Stored => return Ok(true),
                Replaced::Changed(now) => text = now,
            }
        }
    }

    /// Sets the state of one that is not finished.
    async fn set(&self, id: &str, wanted: impl Fn(ReindexState) -> ReindexState) -> Result<ReindexState> {
        let mut text = self.text(id).await?;
        loop {
            if text.is_empty() {
                return Err(self.no_such(id).await?);
            }
            let mut record = parse(id, &text)?;
            let state = wanted(record.state);
            if record.state.is_finished() || record.state == state {
                return Ok(record.state);
            }
            record.state = state;
            match self.replace(id, &text, &record.text(), None).await? {
                Replaced::Stored => {
                    tracing::info!(stream = %self.name, id, %state, "the state of a reindex was set");
                    return Ok(state);
                }
                Replaced::Changed(now) => text = now,
            }
        }
    }

    /// The record as stored; empty if there is none.
    pub(super) async fn text(&self, id: &str) -> Result<String> {
        let mut hget = redis::cmd("HGET");
        hget.arg(self.redstream.keys().reindexes(&self.name)).arg(id);
        let text: Option<String> = self.redstream.link().command("read a reindex", &hget).await?;
        Ok(text.unwrap_or_default())
    }

    /// Replaces the record if it is still `read`. `guard`: the lock of the process that runs the reindex; if another
    /// process holds it by now, nothing is stored.
    pub(super) async fn replace(&self, id: &str, read: &str, new: &str, guard: Option<&LockGuard>) -> Result<Replaced> {
        const ATTEMPT: &str = "record a reindex";
        let mut script = scripts::REINDEX_RECORD.prepare_invoke();
        script.key(self.redstream.keys().reindexes(&self.name)).arg(id).arg(read).arg(new);
        if let Some(guard) = guard {
            script.key(&guard.ownership().keys.lock).arg(&guard.ownership().token);
        }
        let mut reply: Vec<String> = self.redstream.link().script(ATTEMPT, &script).await?;
        match (reply.first().map(String::as_str), reply.len(), guard) {
            (Some("stored"), 1, _) => Ok(Replaced::Stored),
            (Some("changed"), 2, _) => Ok(Replaced::Changed(reply.swap_remove(1))),
            (Some("lost"), 1, Some(guard)) => Err(Error::LockLost { lock: guard.ownership().keys.lock.clone() }),
            _ => Err(Error::UnexpectedReply { attempt: ATTEMPT.to_owned(), reply: reply.join(" ") }),
        }
    }

    async fn no_such(&self, id: &str) -> Result<Error> {
        let mut hkeys = redis::cmd("HKEYS");
        hkeys.arg(self.redstream.keys().reindexes(&self.name));
        let mut known: Vec<String> = self.redstream.link().command("list reindexes", &hkeys).await?;
        known.sort_unstable();
        Ok(Error::NoSuchReindex { stream: self.name.clone(), id: id.to_owned(), known })
    }
}

pub(super) fn parse(id: &str, text: &str) -> Result<ReindexRecord> {
    ReindexRecord::parse(id, text)
        .map_err(|_| Error::UnexpectedReply { attempt: "read a reindex".to_owned(), reply: text.to_owned() })
}
