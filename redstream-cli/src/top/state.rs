//! What is shown, and what the keys do with it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use redstream_core::{ConsumerState, Overview, Problem};

/// How many looks a line of lags shows.
const MEMORY: usize = 60;

/// A consumer of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) stream: String,
    pub(super) consumer: String,
    pub(super) state: ConsumerState,
    pub(super) is_paused: bool,
    pub(super) lag: u64,
    pub(super) lag_is_more: bool,
    pub(super) behind: Option<std::time::Duration>,
    pub(super) dead_letters: u64,
    /// Entries that it committed a second, since the look before; `None` at the first.
    pub(super) pace: Option<f64>,
    pub(super) lags: Vec<u64>,
}

/// What a key asks for that the state cannot do by itself.
#[derive(Debug, PartialEq)]
pub(super) enum Wish {
    Nothing,
    End,
    /// Pause a consumer, or resume it.
    Toggle(Row),
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) rows: Vec<Row>,
    pub(super) problems: Vec<Problem>,
    /// Entries with main messages and with delay messages, of all streams.
    pub(super) entries: (u64, u64),
    pub(super) memory: Option<u64>,
    pub(super) selected: usize,
    pub(super) shows_help: bool,
    /// Why the last look failed.
    pub(super) error: Option<String>,
    /// What came of the last key.
    pub(super) told: Option<String>,
    frozen: bool,
    lags: BTreeMap<(String, String), VecDeque<u64>>,
    last: Option<Instant>,
}

impl State {
    pub(super) fn is_frozen(&self) -> bool {
        self.frozen
    }

    pub(super) fn tell(&mut self, told: String) {
        self.told = Some(told);
    }

    /// Takes a look at Redis.
    pub(super) fn saw(&mut self, overview: redstream_core::Result<Overview>, at: Instant) {
        match overview {
            Ok(overview) => self.take(&overview, at),
            Err(error) => self.error = Some(error.to_string()),
        }
    }

    fn take(&mut self, overview: &Overview, at: Instant) {
        let passed = self.last.replace(at).map(|last| at.saturating_duration_since(last).as_secs_f64());
        let before = std::mem::take(&mut self.rows);
        (self.error, self.problems) = (None, overview.problems());
        self.entries = (
            overview.streams.iter().map(|stream| stream.entries).sum(),
            overview.streams.iter().map(|stream| stream.delayer.entries).sum(),
        );
        self.memory = overview.servers.iter().map(|server| server.used_memory).sum();
        for stream in &overview.streams {
            for consumer in &stream.consumers {
                let name = (stream.name.to_string(), consumer.name.clone());
                let lags = self.lags.entry(name.clone()).or_default();
                lags.push_back(consumer.lag);
                if lags.len() > MEMORY {
                    lags.pop_front();
                }
                let earlier = before.iter().find(|row| (&row.stream, &row.consumer) == (&name.0, &name.1));
                // How much a lag fell: what was committed beyond what was added.
                #[expect(clippy::cast_precision_loss, reason = "a pace for people")]
                let pace = earlier
                    .zip(passed.filter(|passed| *passed > 0.0))
                    .map(|(earlier, passed)| (earlier.lag as f64 - consumer.lag as f64) / passed);
                self.rows.push(Row {
                    stream: name.0,
                    consumer: name.1,
                    state: consumer.state,
                    is_paused: matches!(consumer.state, ConsumerState::Paused | ConsumerState::Pausing),
                    lag: consumer.lag,
                    lag_is_more: consumer.lag_is_more,
                    behind: consumer.behind,
                    dead_letters: consumer.dead_letters,
                    pace,
                    lags: lags.iter().copied().collect(),
                });
            }
        }
        self.selected = self.selected.min(self.rows.len().saturating_sub(1));
    }

    pub(super) fn pressed(&mut self, key: KeyEvent) -> Wish {
        self.told = None;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Wish::End,
            KeyCode::Char('q') | KeyCode::Esc if self.shows_help => self.shows_help = false,
            KeyCode::Char('q') | KeyCode::Esc => return Wish::End,
            KeyCode::Char('?' | 'h') => self.shows_help = !self.shows_help,
            KeyCode::Char(' ') => self.frozen = !self.frozen,
            KeyCode::Down | KeyCode::Char('j') => {
                self.selected = (self.selected + 1).min(self.rows.len().saturating_sub(1));
            }
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::Char('p') => {
                if let Some(row) = self.rows.get(self.selected) {
                    return Wish::Toggle(row.clone());
                }
            }
            _ => {}
        }
        Wish::Nothing
    }
}
