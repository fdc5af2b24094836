//! Decides about suspects, stage by stage.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sea_orm::ConnectionTrait;

use crate::entity::key::Key;
use crate::entity::streamed::{Streamed, messages};
use crate::index::loader::Loader;
use crate::index::scan::Scan;
use crate::verify::error::VerifyError;
use crate::verify::pass::Pass;
use crate::verify::report::VerifyState;
use crate::verify::suspect::{Cohort, Stage, Suspect, is_among};

/// For how long the stream is watched for a change that was committed just before a comparison: a main message follows
/// its commit within milliseconds, or within a second if a relay looks for it.
const WATCH: Duration = Duration::from_secs(2);

/// So often a key may change while it is decided, before it counts as unsettled.
const MOST_ROUNDS: u32 = 8;

impl<E, C, S, L> Pass<'_, E, C, S, L>
where
    E: Streamed,
    C: ConnectionTrait + Send + Sync + 'static,
    L: Loader<E, C>,
    S: Scan<E, L::Record>,
{
    /// Looks at the consumers, and moves suspects on.
    pub(super) async fn look(&mut self) -> Result<(), VerifyError> {
        if !self.fresh.is_empty() {
            // Taken after the suspects were read.
            let mark = self.streams.delay_ends().await.map_err(self.redis())?;
            let mut suspects = std::mem::take(&mut self.fresh);
            for suspect in &mut suspects {
                suspect.has_waited = true;
            }
            self.cohorts.push(Cohort::new(suspects, Stage::Delayed(mark)));
        }
        self.streams.look().await.map_err(self.redis())?;
        for cohort in std::mem::take(&mut self.cohorts) {
            self.advance(cohort).await?;
        }
        self.give_up_waiting();
        Ok(())
    }

    async fn advance(&mut self, mut cohort: Cohort<E>) -> Result<(), VerifyError> {
        let is_passed = cohort.mark().is_none_or(|mark| self.streams.have_passed(mark));
        match cohort.stage {
            Stage::Delayed(ref mark) if self.streams.undelayed(mark).is_none() => {
                let ends = self.streams.ends().await.map_err(self.redis())?;
                self.cohorts.push(Cohort::new(cohort.suspects, Stage::Behind(ends)));
            }
            Stage::Behind(_) if is_passed => self.compare_again(cohort.suspects).await?,
            Stage::Watched { until, mut seen, mut payloads } => {
                // Each time, and not only at the end: the trimmer removes what all have passed.
                let is_over = is_passed && cohort.since.elapsed() >= WATCH;
                self.streams.messages_after(&mut seen, &mut payloads).await.map_err(self.redis())?;
                if is_over {
                    self.decide(cohort.suspects, &payloads).await?;
                } else {
                    cohort.stage = Stage::Watched { until, seen, payloads };
                    self.cohorts.push(cohort);
                }
            }
            Stage::Repaired(_) if is_passed => self.compare_repaired(cohort.suspects).await?,
            _ => self.cohorts.push(cohort),
        }
        Ok(())
    }

    /// The second comparison.
    async fn compare_again(&mut self, suspects: Vec<Suspect<E>>) -> Result<(), VerifyError> {
        // Before the comparison: what the consumers had not passed by then is looked at.
        self.streams.look().await.map_err(self.redis())?;
        let seen = self.streams.offsets();
        let count = suspects.len();
        let differing = self.recheck_in_pages(suspects).await?;
        let equal = (count - differing.len()) as u64;
        self.report.rechecked_ok += equal;
        self.report.matching += equal;
        if !differing.is_empty() {
            let until = self.streams.ends().await.map_err(self.redis())?;
            let stage = Stage::Watched { until, seen, payloads: HashSet::new() };
            self.cohorts.push(Cohort::new(differing, stage));
        }
        Ok(())
    }

    async fn recheck_in_pages(&self, mut suspects: Vec<Suspect<E>>) -> Result<Vec<Suspect<E>>, VerifyError> {
        let mut differing = Vec::new();
        while !suspects.is_empty() {
            let rest = suspects.split_off(suspects.len().min(self.sides.options.page_size));
            differing.extend(self.sides.recheck(suspects, self.is_merged).await?);
            suspects = rest;
        }
        Ok(differing)
    }

    /// Those that were not announced meanwhile are differences.
    async fn decide(
        &mut self,
        suspects: Vec<Suspect<E>>,
        payloads: &HashSet<(redstream_core::StreamName, Vec<u8>)>,
    ) -> Result<(), VerifyError> {
        let (mut differing, mut changed) = (Vec::new(), Vec::new());
        for mut suspect in suspects {
            let message = suspect.key.message();
            let message = message.map_err(|source| VerifyError::Key { id: self.sides.options.id.clone(), source })?;
            let is_changed = is_among(payloads, &message);
            if is_changed && suspect.rounds + 1 >= MOST_ROUNDS {
                self.report.unsettled += 1;
            } else if is_changed {
                suspect.rounds += 1;
                suspect.has_waited = false;
                changed.push(suspect);
            } else if suspect.has_waited {
                differing.push(suspect);
            } else {
                self.fresh.push(suspect);
            }
        }
        if !changed.is_empty() {
            let ends = self.streams.ends().await.map_err(self.redis())?;
            self.cohorts.push(Cohort::new(changed, Stage::Behind(ends)));
        }
        let max = self.sides.options.max;
        if self.sides.options.repair && self.report.found() + self.in_repair() + differing.len() as u64 <= max {
            return self.repair(differing).await;
        }
        // If there are too many, none of these is repaired: a wrong mapping must not queue all keys.
        for suspect in &differing {
            self.found(suspect, false);
        }
        Ok(())
    }

    fn in_repair(&self) -> u64 {
        let repaired = |cohort: &&Cohort<E>| matches!(cohort.stage, Stage::Repaired(_));
        self.cohorts.iter().filter(repaired).map(|cohort| cohort.suspects.len() as u64).sum()
    }

    async fn repair(&mut self, suspects: Vec<Suspect<E>>) -> Result<(), VerifyError> {
        if suspects.is_empty() {
            return Ok(());
        }
        let id = || self.sides.options.id.clone();
        let keys: Vec<Key<E>> = suspects.iter().map(|suspect| suspect.key.clone()).collect();
        let messages = messages(&keys).map_err(|source| VerifyError::Key { id: id(), source })?;
        self.redstream.producer().queue_all(&messages).await.map_err(self.redis())?;
        self.report.queued += suspects.len() as u64;
        let ends = self.streams.ends().await.map_err(self.redis())?;
        tracing::info!(id = id(), keys = keys.len(), "keys that differ were queued to be repaired");
        self.cohorts.push(Cohort::new(suspects, Stage::Repaired(ends)));
        Ok(())
    }

    async fn compare_repaired(&mut self, suspects: Vec<Suspect<E>>) -> Result<(), VerifyError> {
        let kinds: Vec<_> = suspects.iter().map(|suspect| (suspect.key.clone(), suspect.kind)).collect();
        let mut differing: HashMap<Key<E>, Option<String>> = HashMap::new();
        differing
            .extend(self.recheck_in_pages(suspects).await?.into_iter().map(|suspect| (suspect.key, suspect.error)));
        for (key, kind) in kinds {
            let (repaired, error) = (!differing.contains_key(&key), differing.remove(&key).flatten());
            self.found(&Suspect { error, ..Suspect::new(key, kind, None) }, repaired);
        }
        Ok(())
    }

    /// What the oldest suspects wait for.
    pub(super) fn waits_for(&self) -> Option<String> {
        self.cohorts.iter().find_map(|cohort| {
            if let Stage::Delayed(mark) = &cohort.stage {
                let stream = self.streams.undelayed(mark)?;
                let due = self.streams.delay().saturating_sub(cohort.since.elapsed()).as_secs() + 1;
                return Some(format!("delay messages of stream {stream}, which are due within {due}s"));
            }
            let (stream, consumer) = self.streams.behind(cohort.mark()?).next()?;
            Some(format!("consumer {} of stream {stream}", consumer.name))
        })
    }

    /// Ends it if a worker that it waits for makes no progress.
    fn give_up_waiting(&mut self) {
        let patience = self.sides.options.patience;
        let reason = self.cohorts.iter().find_map(|cohort| {
            let waits = cohort.since.elapsed();
            if let Stage::Delayed(mark) = &cohort.stage {
                let stream = self.streams.undelayed(mark).filter(|_| waits > self.streams.delay() + patience)?;
                return Some(format!(
                    "the delayer of stream {stream} has left delay messages for {patience:?} longer than its delay: is it running?"
                ));
            }
            let (stream, consumer) = self.streams.stuck(cohort.mark()?, patience).filter(|_| waits > patience)?;
            Some(format!(
                "consumer {consumer} of stream {stream} has made no progress for {patience:?}: is it running, and not paused?"
            ))
        });
        if reason.is_some() {
            self.report.state = VerifyState::NotFinished;
            self.report.reason = reason;
        }
    }
}
