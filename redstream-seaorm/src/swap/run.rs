//! The steps of a swap, and how one that has not switched is ended.

use std::sync::PoisonError;
use std::time::Duration;

use redstream_core::{BoxError, CancellationToken, Error, ReindexState, Start, Stream};

use super::consumers::{dead_letters, forget, has_passed, must_exist};
use super::{Swap, walks};
use crate::entity::streamed::Streamed;
use crate::entity::streams::entity_stream;
use crate::failpoint::failpoint;
use crate::swap::error::SwapError;
use crate::swap::report::SwapReport;
use crate::verify::report::VerifyState;

/// How often the consumer's position is read.
const POLL: Duration = Duration::from_millis(50);

impl<E: Streamed> Swap<'_, E> {
    /// Runs until the searches use the new index, an operator [aborts](crate::Reindexes::abort) the walk, or
    /// `shutdown`.
    ///
    /// # Errors
    ///
    /// [`SwapError::Index`] if the datastore fails, [`SwapError::Redstream`] if Redis or the walk does,
    /// [`SwapError::Behind`] if the consumer does not get through, [`SwapError::DeadLetters`] if it gave documents up,
    /// [`SwapError::Verify`] and [`SwapError::Differs`] if it is not verified, and [`SwapError::Check`] if the check
    /// fails. Run it again to continue. [`Error::InvalidOption`] if the consumer is to [replace](Self::replaces)
    /// itself, and [`Error::NoSuchConsumer`] if it is to replace one that does not exist.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<SwapReport, SwapError> {
        if self.replaces.as_ref() == Some(&self.consumer) {
            // Forgotten as the old one, it would miss changes.
            let reason = format!("`{}` is the consumer of the new index: name that of the old one", self.consumer);
            return Err(Error::InvalidOption { option: "replaces", reason }.into());
        }
        let streams = self.streams()?;
        let before = self.current().await?;
        if before.as_deref() == Some(self.index.name()) {
            let is_retired = self.finish(&streams, None).await?;
            return Ok(SwapReport { is_switched: true, is_retired, ..SwapReport::unfinished(0) });
        }
        if let Some(replaced) = &self.replaces {
            must_exist(&streams, replaced).await?;
        }
        let identity = self.index.prepare().await.map_err(|source| self.failed("create", source))?;
        failpoint!("swap: index created");
        for stream in &streams {
            // What is in the stream already, the walk announces anyway.
            stream.register(&self.consumer, Start::Latest).await?;
        }
        failpoint!("swap: consumer registered");
        let walk = walks::id(self.index.name(), &identity, &self.consumer, &streams).await?;
        let queued = match Box::pin(self.walk(&walk, &shutdown)).await? {
            Walked::Whole(queued) => queued,
            Walked::Part(queued) => return Ok(SwapReport::unfinished(queued)),
        };
        failpoint!("swap: walked");
        match shutdown.run_until_cancelled(self.catch_up(&streams)).await {
            Some(caught_up) => caught_up?,
            None => return Ok(SwapReport::unfinished(queued)),
        }
        failpoint!("swap: caught up");
        self.must_have_all(&streams).await?;
        self.refresh().await?;
        failpoint!("swap: refreshed");
        let left_over = match shutdown.run_until_cancelled(Box::pin(self.announce_left_over(&streams))).await {
            Some(left_over) => left_over?,
            None => return Ok(SwapReport::unfinished(queued)),
        };
        if left_over > 0 {
            tracing::info!(
                index = self.index.name(),
                left_over,
                "the index had documents from before its consumer was registered"
            );
            self.refresh().await?;
        }
        if let Some(verify) = self.verify.take() {
            let report = Box::pin(verify.run(shutdown.clone())).await?;
            if report.state == VerifyState::Cancelled {
                return Ok(SwapReport::unfinished(queued));
            }
            if !report.is_clean() {
                return Err(SwapError::Differs { index: self.name(), report: Box::new(report) });
            }
            failpoint!("swap: verified");
        }
        if let Some(check) = self.check.take() {
            let check = check.into_inner().unwrap_or_else(PoisonError::into_inner)();
            match shutdown.run_until_cancelled(check).await {
                Some(checked) => checked.map_err(|source| SwapError::Check { index: self.name(), source })?,
                None => return Ok(SwapReport::unfinished(queued)),
            }
            failpoint!("swap: checked");
        }
        if !Box::pin(self.switch(&streams, &walk, before.as_deref())).await? {
            return Ok(SwapReport::unfinished(queued));
        }
        failpoint!("swap: switched");
        tracing::info!(index = self.index.name(), replaced = before, "searches use the new index");
        let is_retired = self.finish(&streams, before.as_deref()).await?;
        Ok(SwapReport { is_switched: true, replaced: before, is_retired, queued, left_over })
    }

    /// Ends a swap that has not switched: the walk ends, the new index's consumer is forgotten, and the new index is
    /// removed. The old index and its consumer are left as they are.
    ///
    /// # Errors
    ///
    /// [`Error::StillRunning`] if the new index's consumer runs: it would create the index again. Stop it, and abort
    /// again. [`SwapError::Switched`] if the searches use the new index already: nothing was done then. Otherwise as
    /// [`run`](Self::run).
    pub async fn abort(self) -> Result<(), SwapError> {
        let streams = self.streams()?;
        let turn = Box::pin(self.turn(&streams)).await?;
        if self.current().await?.as_deref() == Some(self.index.name()) {
            return Err(SwapError::Switched { index: self.name() });
        }
        let reindexes = entity_stream::<E>(&self.redstream)?.reindexes();
        walks::discard(&reindexes, self.index.name(), None).await?;
        failpoint!("swap: walk discarded");
        for stream in &streams {
            forget(stream, &self.consumer).await?;
        }
        failpoint!("swap: new consumer forgotten");
        self.remove_unused(&turn).await?;
        failpoint!("swap: new index removed");
        turn.release().await?;
        Ok(())
    }

    fn streams(&self) -> Result<Vec<Stream>, Error> {
        Ok(entity_stream::<E>(&self.redstream)?.streams().to_vec())
    }

    async fn refresh(&self) -> Result<(), SwapError> {
        self.index.refresh().await.map_err(|source| self.failed("refresh", source))
    }

    async fn current(&self) -> Result<Option<String>, SwapError> {
        self.index.current().await.map_err(|source| self.failed("find out whether searches use", source))
    }

    async fn walk(&mut self, id: &str, shutdown: &CancellationToken) -> Result<Walked, SwapError> {
        let reindexes = entity_stream::<E>(&self.redstream)?.reindexes();
        walks::discard(&reindexes, self.index.name(), Some(id)).await?;
        if let Some(record) = reindexes.get(id).await?
            && record.state == ReindexState::CaughtUp
        {
            return Ok(Walked::Whole(record.queued));
        }
        let mut reindex = self.db.reindex(&self.redstream).id(id).consumer(&self.consumer);
        if let Some(ttl) = self.lock_ttl {
            reindex = reindex.lock_ttl(ttl);
        }
        if let Some(report) = self.on_progress.take() {
            reindex = reindex.on_progress(report);
        }
        let report = reindex.run(shutdown.clone()).await?;
        Ok(if report.is_done() { Walked::Whole(report.queued) } else { Walked::Part(report.queued) })
    }

    /// Errors if the new index's consumer has given up records.
    pub(super) async fn must_have_all(&self, streams: &[Stream]) -> Result<(), SwapError> {
        match dead_letters(streams, &self.consumer).await? {
            0 => Ok(()),
            dead_letters => {
                Err(SwapError::DeadLetters { index: self.name(), consumer: self.consumer.clone(), dead_letters })
            }
        }
    }

    /// Waits until the consumer has passed what is in the streams now: after a crash the walk can be long over.
    pub(super) async fn catch_up(&self, streams: &[Stream]) -> Result<(), SwapError> {
        let pass = async {
            for stream in streams {
                let last = stream.last_id().await?;
                while !has_passed(stream, &self.consumer, last).await? {
                    tokio::time::sleep(POLL).await;
                }
            }
            Ok(())
        };
        match tokio::time::timeout(self.patience, pass).await {
            Ok(passed) => passed,
            Err(_) => {
                Err(SwapError::Behind { index: self.name(), consumer: self.consumer.clone(), within: self.patience })
            }
        }
    }

    /// Returns whether the replaced consumer is forgotten.
    async fn finish(&self, streams: &[Stream], old: Option<&str>) -> Result<bool, SwapError> {
        let mut is_retired = self.replaces.is_some();
        for (stream, consumer) in streams.iter().zip(self.replaces.iter().cycle()) {
            match forget(stream, consumer).await {
                Err(Error::StillRunning { .. }) => is_retired = false,
                forgotten => forgotten?,
            }
        }
        failpoint!("swap: old consumer forgotten");
        if let Some(consumer) = self.replaces.as_ref().filter(|_| !is_retired) {
            tracing::warn!(
                consumer,
                index = self.index.name(),
                old,
                "searches use the new index, and the consumer of the old one still runs: stop it and run the swap again, or trimming \
                 waits for it"
            );
        }
        match old {
            Some(old) if self.remove_old && (is_retired || self.replaces.is_none()) => {
                self.index.remove(old).await.map_err(|source| self.failed("remove the index before", source))?;
                failpoint!("swap: old index removed");
            }
            _ => {}
        }
        Ok(is_retired)
    }

    pub(super) fn name(&self) -> String {
        self.index.name().to_owned()
    }

    pub(super) fn failed(&self, attempt: &'static str, source: BoxError) -> SwapError {
        SwapError::Index { attempt, index: self.name(), source }
    }
}

enum Walked {
    Whole(u64),
    /// It was aborted or shut down.
    Part(u64),
}
