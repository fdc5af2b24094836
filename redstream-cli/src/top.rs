//! `redstream top`: the consumers, live.

mod draw;
mod state;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use redstream_core::Redstream;
use tokio::sync::mpsc;

use self::state::{Row, State, Wish};
use crate::Answer;
use crate::connect::Usage;

/// How long a pause may take until it is told as one that is not complete.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) async fn top(redstream: &Redstream, every: Duration) -> Result<Answer> {
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        bail!(Usage("top needs a terminal: `redstream status` prints once"));
    }
    let mut terminal = ratatui::try_init()?;
    let outcome = run(redstream, every, &mut terminal).await;
    ratatui::restore();
    outcome.map(|()| Answer::Yes)
}

async fn run(redstream: &Redstream, every: Duration, terminal: &mut DefaultTerminal) -> Result<()> {
    let mut events = events();
    let mut state = State::default();
    let mut looks = tokio::time::interval(every.max(Duration::from_millis(100)));
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        terminal.draw(|frame| draw::draw(frame, &state))?;
        let event = tokio::select! {
            _ = looks.tick() => None,
            event = events.recv() => Some(event),
        };
        match event {
            // A look that fails is shown; the next one may succeed.
            None => {
                if !state.is_frozen() {
                    state.saw(redstream.overview().await, Instant::now());
                }
            }
            Some(Some(Event::Key(key))) if key.kind == KeyEventKind::Press => match state.pressed(key) {
                Wish::Nothing => {}
                Wish::End => return Ok(()),
                Wish::Toggle(row) => {
                    let told = toggle(redstream, &row).await;
                    state.tell(told.unwrap_or_else(|error| format!("{error:#}")));
                }
            },
            Some(Some(_)) => {}
            // The terminal is gone.
            Some(None) => return Ok(()),
        }
    }
}

async fn toggle(redstream: &Redstream, row: &Row) -> Result<String> {
    let (stream, consumer) = (redstream.stream(&row.stream)?, &row.consumer);
    if row.is_paused {
        stream.resume(consumer).await?;
        return Ok(format!("{}/{consumer} may work", row.stream));
    }
    let rests = stream.pause(consumer, PAUSE).await?;
    let rest = if rests { "" } else { "; a host is still at work" };
    Ok(format!("{}/{consumer} is paused{rest}", row.stream))
}

/// What the terminal says, from a thread of its own: it cannot be waited for otherwise. The thread ends with the
/// process.
fn events() -> mpsc::Receiver<Event> {
    let (said, events) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if said.blocking_send(event).is_err() {
                return;
            }
        }
    });
    events
}
