//! How a walk begins, or continues where another process left it.

use std::time::Instant;

use serde_json::Value as Json;

use super::{Range, Run};
use crate::error::{BoxError, Error, Result};
use crate::failpoint::failpoint;
use crate::reindex::chunk::{ChunkSize, Outstanding};
use crate::reindex::progress::Meter;
use crate::reindex::record::{ReindexRange, ReindexRecord, ReindexState};
use crate::reindex::records::parse;
use crate::reindex::source::KeySource;
use crate::reindex::standing::Watched;
use crate::reindex::walk::Walk;
use crate::worker::LockGuard;

impl<'a, S: KeySource> Run<'a, S> {
    /// Continues the recorded walk, or begins a new one. Returns the record if another process has finished the walk
    /// that this one waited for. `before`: the walk that was finished before this one was asked for. `anew`: neither is
    /// continued nor returned.
    pub(in crate::reindex) async fn begin(
        walk: &'a Walk<S>,
        guard: &'a LockGuard,
        before: Option<&str>,
        anew: bool,
    ) -> Result<Result<Self, ReindexRecord>> {
        let (entity, filter) = (walk.source.entity(), walk.source.filter());
        let stored = walk.records().text(&walk.id).await?;
        let found = if stored.is_empty() { None } else { Some(parse(&walk.id, &stored)?) };
        let mut record = match found {
            Some(record) if anew => {
                let new = ReindexRecord::new(&walk.id, entity, &filter);
                if record.state == ReindexState::Paused { ReindexRecord { state: record.state, ..new } } else { new }
            }
            Some(record) if !record.state.is_finished() => continued(record, &entity, &filter)?,
            Some(record) if Some(&*record.walk) != before => return Ok(Err(record)),
            _ => ReindexRecord::new(&walk.id, entity, &filter),
        };
        let mut watched = Watched::find(&walk.redstream, &walk.streams, &walk.consumers).await?;
        let standings = watched.look().await?;
        if record.last.iter().any(|(stream, id)| standings.is_lost(stream, *id)) {
            tracing::warn!(stream = %walk.name, id = walk.id, "Redis has lost messages of a reindex: it starts over");
            record = record.begun_again();
        }
        record.consumers = watched.names();
        let mut run = Self {
            meter: Meter::new(record.queued),
            outstanding: Outstanding::new(standings.last()),
            size: ChunkSize::new(walk.target),
            seen: Instant::now(),
            ranges: Vec::new(),
            is_warned: false,
            walk,
            guard,
            record,
            stored,
            watched,
        };
        if run.record.ranges.is_empty() {
            run.plan().await?;
        } else {
            run.continue_ranges()?;
        }
        Ok(Ok(run))
    }

    /// Decides what is walked.
    async fn plan(&mut self) -> Result<()> {
        self.write().await?;
        failpoint!("reindex: begun");
        let source = &self.walk.source;
        let bounds = source.bounds().await.map_err(self.walk.failed("read the first and the last key"))?;
        // Each range begins where the one before it ends.
        let befores = [None].into_iter().chain(bounds.iter().cloned().map(Some));
        self.ranges = befores.zip(&bounds).map(|(after, until)| Range::new(after, until.clone(), false)).collect();
        let recorded = self.ranges.iter().map(|range| {
            let after = range.after.as_ref().map_or(Ok(Json::Null), |after| source.encode(after))?;
            Ok(ReindexRange { after, until: source.encode(&range.until)?, done: false })
        });
        let recorded = recorded.collect::<Result<_, BoxError>>();
        self.record.ranges = recorded.map_err(self.walk.failed("record a key"))?;
        self.record.estimate = source.estimate().await.map_err(self.walk.failed("count the rows"))?;
        self.record.dead_before = self.watched.dead_letters().await?;
        if self.record.state == ReindexState::Queued {
            self.record.state = ReindexState::Running;
        }
        tracing::info!(
            stream = %self.walk.name, id = self.walk.id, entity = self.record.entity, estimate = self.record.estimate,
            consumers = ?self.record.consumers, "a reindex begins"
        );
        self.write().await?;
        failpoint!("reindex: planned");
        Ok(())
    }

    /// Goes on behind the last keys recorded.
    fn continue_ranges(&mut self) -> Result<()> {
        let decode = |key: &Json| self.walk.source.decode(key).map_err(self.walk.failed("read a recorded key back"));
        for recorded in &self.record.ranges {
            let after = if recorded.after.is_null() { None } else { Some(decode(&recorded.after)?) };
            self.ranges.push(Range::new(after, decode(&recorded.until)?, recorded.done));
        }
        tracing::info!(
            stream = %self.walk.name, id = self.walk.id, queued = self.record.queued, state = %self.record.state,
            "a reindex is continued"
        );
        Ok(())
    }
}

/// The record of a walk that was interrupted. Errors if that is a walk through other rows.
fn continued(record: ReindexRecord, entity: &str, filter: &str) -> Result<ReindexRecord> {
    if !record.is_of(entity, filter) {
        let reason = format!(
            "the unfinished reindex {} walks other rows ({} {}): give this one another id, or abort that one",
            record.id, record.entity, record.filter
        );
        return Err(Error::InvalidOption { option: "id", reason });
    }
    let state = match record.state {
        ReindexState::WaitingForLag => ReindexState::Running,
        state => state,
    };
    Ok(ReindexRecord { state, ..record })
}
