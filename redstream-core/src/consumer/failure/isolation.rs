//! The search for the failing messages, and their handling.

use super::{Failure, OnPoison, RetryBatch, named, text};
use crate::consumer::handler::Failed;
use crate::error::{BoxError, Error, Result};
use crate::message::Message;

impl RetryBatch<'_> {
    /// Finds the failing messages, if the datastore answers at all, and handles them.
    pub(super) async fn isolate(&mut self, failure: &Failure) -> Result<()> {
        if !self.datastore_answers().await? {
            return Ok(());
        }
        let suspects = self.bisect(failure).await?;
        if !self.hold(&suspects).await? {
            return Ok(());
        }
        // They may have failed while the datastore was unavailable for a moment, before the search or during it. A
        // message is at fault if it fails once more while the datastore answers both before and after.
        let suspects = self.confirm(suspects).await?;
        if !self.hold(&suspects).await? {
            return Ok(());
        }
        let consumer = self.context.consumer;
        match consumer.on_poison {
            OnPoison::Block => Ok(()),
            OnPoison::DeadLetter => {
                // A probe may have handled one of them meanwhile.
                for (message, error) in suspects {
                    if self.pending.contains(&message) {
                        self.dead_letter(message, &error);
                    }
                }
                self.pending.clear();
                Ok(())
            }
            OnPoison::Stop => match suspects.into_iter().find(|(message, _)| self.pending.contains(message)) {
                None => Ok(()),
                Some((message, source)) => Err(Error::Poison {
                    stream: consumer.stream.clone(),
                    consumer: consumer.name.clone(),
                    message: message.id(),
                    attempts: self.tries_of(message.id()),
                    source,
                }),
            },
        }
    }

    /// Keeps only the suspects pending. Returns whether there are any and the datastore answers: only a success *after*
    /// a failure shows that the failure was theirs.
    async fn hold(&mut self, suspects: &[(Message, BoxError)]) -> Result<bool> {
        self.pending = suspects.iter().map(|(message, _)| message.clone()).collect();
        Ok(!suspects.is_empty() && self.datastore_answers().await?)
    }

    /// Tries each suspect once more, and returns those that fail again.
    async fn confirm(&mut self, suspects: Vec<(Message, BoxError)>) -> Result<Vec<(Message, BoxError)>> {
        let mut confirmed = Vec::new();
        for (message, error) in suspects {
            // A probe may have handled it meanwhile.
            if !self.pending.contains(&message) {
                continue;
            }
            if self.context.guard.is_lost() {
                return Err(self.context.guard.ownership().loss());
            }
            if self.context.shutdown.is_cancelled() {
                confirmed.push((message, error));
            } else if let Err(failure) = self.attempt(vec![message.clone()]).await {
                confirmed.push((message, text(&failure.source)));
            }
        }
        Ok(confirmed)
    }

    /// Bisects the pending messages until each failing message is isolated; the others are handled.
    async fn bisect(&mut self, failure: &Failure) -> Result<Vec<(Message, BoxError)>> {
        let mut suspects = Vec::new();
        let mut parts = Vec::new();
        match &self.pending[..] {
            [alone] => return Ok(vec![(alone.clone(), text(&failure.source))]),
            all => halve(all.to_vec(), &mut parts),
        }
        while let Some(part) = parts.pop() {
            if self.context.guard.is_lost() {
                return Err(self.context.guard.ownership().loss());
            }
            if self.context.shutdown.is_cancelled() {
                suspects.extend(part.into_iter().map(|message| (message, text(&failure.source))));
                continue;
            }
            let Err(failure) = self.attempt(part.clone()).await else { continue };
            match (failure.failed, part.len()) {
                (_, 1) => suspects.extend(part.into_iter().map(|message| (message, text(&failure.source)))),
                (Failed::Only(ids), all) => {
                    let named = named(&part, &ids);
                    if named.len() < all { parts.push(named) } else { halve(part, &mut parts) }
                }
                (Failed::Never(id), _) => {
                    let (never, rest) = part.into_iter().partition(|message| message.id() == id);
                    let never: Vec<Message> = never;
                    if never.is_empty() {
                        halve(rest, &mut parts);
                    } else {
                        parts.push(rest);
                    }
                    suspects.extend(never.into_iter().map(|message| (message, text(&failure.source))));
                }
                (Failed::Unknown, _) => halve(part, &mut parts),
            }
        }
        suspects.sort_by_key(|(message, _)| message.id());
        Ok(suspects)
    }
}

/// The first half on top.
fn halve(mut part: Vec<Message>, parts: &mut Vec<Vec<Message>>) {
    let second = part.split_off(part.len() / 2);
    parts.extend([second, part].into_iter().filter(|half| !half.is_empty()));
}
