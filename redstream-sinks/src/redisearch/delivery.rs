//! Writes documents, and checks that each is in the index.

use std::collections::HashSet;

use redstream_seaorm::{Failures, Key, RedisClient};
use sea_orm::EntityTrait;

use crate::redisearch::documents::{self, Form, Update, Verdict, is_missing_index};
use crate::redisearch::error::Error;
use crate::redisearch::info::{Failure, Info};
use crate::redisearch::target::Target;

/// One write of the sink.
pub(crate) struct Delivery<'d> {
    pub(crate) client: &'d RedisClient,
    pub(crate) target: &'d Target,
    pub(crate) tombstones: &'d str,
    pub(crate) form: Form<'d>,
    pub(crate) version: u64,
}

impl Delivery<'_> {
    /// Writes the documents, so many in one script.
    ///
    /// # Errors
    ///
    /// If the whole batch is to be retried. Documents that were refused are added to `failures` instead.
    pub(crate) async fn run<E: EntityTrait>(
        &self,
        changes: Vec<(Key<E>, Update)>,
        max_documents: usize,
        failures: &mut Failures<E>,
    ) -> Result<(), Error> {
        let (keys, updates): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
        let mut missing = Vec::new();
        for (keys, updates) in keys.chunks(max_documents).zip(updates.chunks(max_documents)) {
            missing.extend(self.chunk(keys, updates, failures).await?);
        }
        self.report(missing, failures).await
    }

    /// Returns the documents that are written and not in the index.
    async fn chunk<'u, E: EntityTrait>(
        &self,
        keys: &[Key<E>],
        updates: &'u [Update],
        failures: &mut Failures<E>,
    ) -> Result<Vec<(Key<E>, &'u str)>, Error> {
        let refused = |source| self.target.refused(source);
        let (verdicts, indexed) = match self.attempt(updates).await {
            // It has gone since it was checked. Documents that were written before it is created again would get into
            // it later; those that are written afterwards are in it at once.
            Err(error) if is_missing_index(&error) => {
                self.target.check(self.client, self.tombstones).await?;
                self.attempt(updates).await.map_err(refused)?
            }
            attempt => attempt.map_err(refused)?,
        };
        let mut missing = Vec::new();
        let [mut written, mut deleted, mut superseded, mut failed] = [0; 4];
        for ((key, update), verdict) in keys.iter().zip(updates).zip(verdicts) {
            match verdict {
                Verdict::Written if update.document.is_none() => deleted += 1,
                Verdict::Written if indexed.as_ref().is_none_or(|indexed| indexed.contains(&update.key)) => {
                    written += 1;
                }
                Verdict::Written => missing.push((key.clone(), update.key.as_str())),
                Verdict::Superseded(version) => {
                    superseded += 1;
                    failures.outdated_by(key.clone(), version);
                }
                Verdict::Refused(reason) => {
                    failed += 1;
                    failures.failed(key.clone(), Error::Document { key: update.key.clone(), reason });
                }
            }
        }
        for (outcome, count) in
            [("written", written), ("deleted", deleted), ("superseded", superseded), ("failed", failed)]
        {
            self.target.count(outcome, count);
        }
        Ok(missing)
    }

    /// What became of each document, and which of them are in the index; `None` if that says nothing.
    async fn attempt(
        &self,
        updates: &[Update],
    ) -> Result<(Vec<Verdict>, Option<HashSet<String>>), redstream_seaorm::core::Error> {
        let verdicts = documents::write(self.client, self.version, self.form, updates).await?;
        let is_written =
            |(update, verdict): &(&Update, &Verdict)| **verdict == Verdict::Written && update.document.is_some();
        let written = updates.iter().zip(&verdicts).filter(is_written).map(|(update, _)| update.key.as_str());
        let written: Vec<_> = written.collect();
        if self.target.index.leaves_out_on_purpose() || written.is_empty() {
            return Ok((verdicts, None));
        }
        let indexed = documents::indexed(self.client, &self.target.index.name, &written).await?;
        Ok((verdicts, Some(indexed)))
    }

    /// These documents are written and not in the index.
    async fn report<E: EntityTrait>(
        &self,
        missing: Vec<(Key<E>, &str)>,
        failures: &mut Failures<E>,
    ) -> Result<(), Error> {
        if missing.is_empty() {
            return Ok(());
        }
        let Info { last_failure, is_building, percent, .. } = self.target.check(self.client, self.tombstones).await?;
        let index = &self.target.index.name;
        if is_building {
            return Err(Error::Indexing { index: index.clone(), percent });
        }
        let reason_of = |key: &str| match &last_failure {
            Some(Failure { key: last, reason }) if last == key => reason.clone(),
            _ => {
                "a field has a value of the wrong type; FT.INFO has the last such error under `Index Errors`".to_owned()
            }
        };
        tracing::warn!(
            index,
            documents = missing.len(),
            first = missing[0].1,
            reason = reason_of(missing[0].1),
            "documents are written and not in the index, so that no search finds them"
        );
        self.target.count("not_indexed", missing.len());
        for (key, document) in missing {
            let (reason, document) = (reason_of(document), document.to_owned());
            failures.failed(key, Error::NotIndexed { key: document, index: index.clone(), reason });
        }
        Ok(())
    }
}
