//! Sweeps over the rows of the outbox: rows that cannot be moved are skipped until the next sweep.
//!
//! While everything can be moved there is no state: each statement begins at the first row. Once a row has to stay, the
//! next statement begins after it, and streams that Redis refuses are excluded. A sweep ends at the row that was the
//! newest after the first one had to stay, so that it ends whatever is added meanwhile. The next sweep begins at the
//! first row again, so that a row that committed late with a smaller id is found.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use redstream_core::StreamName;

/// How many streams the statement excludes; rows of further streams are read and skipped one by one.
const LEFT_OUT: usize = 100;

/// The shortest and the longest time from one sweep to the next. A sweep that takes long is not repeated before ten
/// times its duration has passed.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// The interval at which remaining rows are reported again.
const TELL_AGAIN: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The last row that was skipped.
    after: Option<i64>,
    /// The row that was the newest after the first one had to stay.
    upto: Option<i64>,
    /// Streams whose messages Redis did not take, and whether that may pass by itself.
    refused: BTreeMap<StreamName, bool>,
    /// Rows skipped one by one.
    left: u64,
    /// The error of one of them.
    example: Option<String>,
    begun: Option<Instant>,
    /// When the next sweep may begin, once this one has ended.
    next: Option<Instant>,
    /// How long the last pause was.
    pause: Option<Duration>,
    told: Option<(Instant, u64)>,
}

impl Sweep {
    /// Begins the next sweep, if it is time.
    pub(super) fn begin(&mut self) {
        if self.next.is_some_and(|next| Instant::now() >= next) {
            self.restart();
        }
    }

    /// Begins the next sweep if rows were left for a reason that may have passed. Returns whether it did.
    pub(super) fn restart_at_once(&mut self) -> bool {
        let is_due = self.refused.values().any(|may_pass| *may_pass);
        if is_due {
            self.restart();
        }
        is_due
    }

    fn restart(&mut self) {
        let Self { pause, told, .. } = std::mem::take(self);
        (self.pause, self.told) = (pause, told);
    }

    /// Where the next statement begins, and which streams it excludes.
    pub(super) fn place(&self) -> (Option<i64>, Vec<StreamName>) {
        (self.after, self.refused.keys().take(LEFT_OUT).cloned().collect())
    }

    pub(super) fn is_refused(&self, stream: &StreamName) -> bool {
        self.refused.contains_key(stream)
    }

    /// Redis did not take the messages of this stream.
    pub(super) fn refused(&mut self, stream: StreamName, error: &redstream_core::Error) {
        self.begun.get_or_insert_with(Instant::now);
        if error.is_refusal() {
            let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            self.example.get_or_insert_with(|| cut(&format!("stream {stream}: {cause}")));
        }
        self.refused.insert(stream, !error.is_refusal());
    }

    /// Called when rows have to stay.
    pub(super) fn left(&mut self, rows: u64, why: impl FnOnce() -> String) {
        self.begun.get_or_insert_with(Instant::now);
        self.left += rows;
        self.example.get_or_insert_with(|| cut(&why()));
    }

    /// Whether it needs the id of the newest row.
    pub(super) fn wants_its_end(&self) -> bool {
        self.begun.is_some() && self.upto.is_none()
    }

    pub(super) fn ends_at(&mut self, newest: Option<i64>) {
        self.upto = newest;
    }

    /// The next statement begins behind this row.
    pub(super) fn pass_over(&mut self, last_left: i64) {
        self.after = self.after.max(Some(last_left));
    }

    /// Whether all rows of the sweep were tried: up to the row that was `read` last; `is_last` says that no row follows
    /// it.
    pub(super) fn is_at_its_end(&self, read: Option<i64>, is_last: bool) -> bool {
        self.next.is_none() && (is_last || (self.upto.is_some() && read >= self.upto))
    }

    /// Streams that stay refused until an operator changes something.
    pub(super) fn refusals(&self) -> Vec<StreamName> {
        let left_out = self.refused.iter().take(LEFT_OUT);
        left_out.filter(|(_, may_pass)| !**may_pass).map(|(stream, _)| stream.clone()).collect()
    }

    /// Ends it. `of_refused`: rows of [`refusals`](Self::refusals). Returns how many rows could not be moved.
    pub(super) fn end(&mut self, of_refused: u64) -> u64 {
        let left = self.left + of_refused;
        let Some(begun) = self.begun else {
            // Nothing had to stay.
            self.pause = None;
            self.tell(left);
            return left;
        };
        let (first, longest) = PAUSES;
        let pause = self.pause.map_or(first, |pause| (pause * 2).min(longest)).max(begun.elapsed() * 10);
        (self.pause, self.next) = (Some(pause.min(longest)), Some(Instant::now() + pause));
        self.tell(left);
        left
    }

    /// Logs how many rows are left: at first, once a minute, and when none is left.
    fn tell(&mut self, left: u64) {
        match self.told {
            None if left == 0 => return,
            Some(_) if left == 0 => {
                self.told = None;
                tracing::info!("all rows of redstream_outbox can be moved again");
                return;
            }
            Some((at, _)) if at.elapsed() < TELL_AGAIN => return,
            _ => {}
        }
        self.told = Some((Instant::now(), left));
        let streams: Vec<_> = self.refused.keys().take(10).map(StreamName::as_str).collect();
        tracing::error!(
            rows = left,
            refused = streams.join(", "),
            example = self.example.as_deref().unwrap_or_default(),
            "rows of redstream_outbox cannot be moved and are skipped: mend or delete them, or make Redis take their \
             stream; they are tried again, and hold up no others"
        );
    }
}

/// The beginning of an example, as long as a log line allows.
fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}
