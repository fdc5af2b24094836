//! Keys that differ, and are not decided yet.
//!
//! A suspect goes through these stages; at each of the two comparisons it may be found equal.
//! 1. `Delayed`: no delay message may be left that was there when it was found. Changes whose main message was lost are
//!    then announced.
//! 2. `Behind`: the consumers must pass what was in the streams at the end of the first stage. Then it is compared
//!    again.
//! 3. `Watched`: it still differs. It may have changed again just before; then the message that announces this change
//!    is behind the offset at which the consumers stood before the comparison, or comes a moment later. If there is
//!    such a message, it is compared again when the consumers have passed that; otherwise it is a difference, if it
//!    went through the first stage since it changed last.
//! 4. `Repaired`: its key was queued. When the consumers have passed it, it is compared for the last time.

use std::collections::HashSet;

use redstream_core::{MessageId, NewMessage, StreamName};
use tokio::time::Instant;

use crate::entity::key::Key;
use crate::verify::report::DifferenceKind;
use crate::verify::standing::Mark;

pub(super) struct Suspect<E> {
    pub(super) key: Key<E>,
    pub(super) kind: DifferenceKind,
    /// Why its document could not be compared.
    pub(super) error: Option<String>,
    /// A key that both sides sort before it, for a scan of this key alone; `None`: it is the first one.
    pub(super) before: Option<Key<E>>,
    /// Two documents of this key were seen.
    pub(super) is_double: bool,
    /// How often it changed while it was decided.
    pub(super) rounds: u32,
    /// Whether it was in the first stage since then.
    pub(super) has_waited: bool,
}

impl<E> Suspect<E> {
    pub(super) fn new(key: Key<E>, kind: DifferenceKind, before: Option<Key<E>>) -> Self {
        Self { key, kind, error: None, before, is_double: false, rounds: 0, has_waited: false }
    }
}

/// Suspects that wait for the same.
pub(super) struct Cohort<E> {
    pub(super) suspects: Vec<Suspect<E>>,
    pub(super) stage: Stage,
    /// When the stage began.
    pub(super) since: Instant,
}

pub(super) enum Stage {
    /// Until the delay messages up to this mark are gone.
    Delayed(Mark),
    /// Until the consumers have passed this mark.
    Behind(Mark),
    /// Until the consumers have passed the first mark and the time is up; the messages up to the second were looked at.
    Watched { until: Mark, seen: Mark, payloads: HashSet<(StreamName, Vec<u8>)> },
    /// Until the consumers have passed this mark.
    Repaired(Mark),
}

impl<E> Cohort<E> {
    pub(super) fn new(suspects: Vec<Suspect<E>>, stage: Stage) -> Self {
        Self { suspects, stage, since: Instant::now() }
    }

    /// The mark for which the consumers are waited for; `None` in the first stage.
    pub(super) fn mark(&self) -> Option<&[MessageId]> {
        match &self.stage {
            Stage::Delayed(_) => None,
            Stage::Behind(mark) | Stage::Repaired(mark) => Some(mark),
            Stage::Watched { until, .. } => Some(until),
        }
    }
}

/// Whether a message with this payload is among them.
pub(super) fn is_among(payloads: &HashSet<(StreamName, Vec<u8>)>, message: &NewMessage) -> bool {
    // A pair of references cannot be looked up.
    payloads.contains(&(message.stream.clone(), message.payload.as_str().as_bytes().to_vec()))
}
