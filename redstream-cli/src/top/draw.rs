//! The screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize as _};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Row as Cells, Table, TableState};
use redstream_core::{ConsumerState, Severity};

use super::state::{Row, State};
use crate::output::{bytes, count, maybe};

/// The heights of a line of lags, from nothing to the most.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

const HELP: &str = "\
 ↑ ↓  j k   choose a consumer
 p          pause it on all hosts, or resume it
 space      freeze the screen, and let it go on
 ? h        this help
 q  esc     end";

pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let problems = state.problems.iter().filter(|problem| problem.severity > Severity::Note).count();
    let shown = u16::try_from(problems.min(6)).unwrap_or(6);
    let [head, consumers, found, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(if shown == 0 { 0 } else { shown + 2 }),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(summary(state), head);
    draw_consumers(frame, state, consumers);
    if shown > 0 {
        draw_problems(frame, state, found);
    }
    frame.render_widget(footer(state), foot);
    if state.shows_help {
        let [area] = Layout::horizontal([Constraint::Length(52)]).areas(frame.area());
        let area = Rect { height: 7.min(area.height), ..area };
        frame.render_widget(Clear, area);
        frame.render_widget(Paragraph::new(HELP).block(Block::bordered().title(" keys ")), area);
    }
}

fn summary(state: &State) -> Line<'static> {
    let (entries, delayed) = state.entries;
    let memory = state.memory.map_or_else(String::new, |memory| format!("   Redis {}", bytes(memory)));
    let frozen = if state.is_frozen() { "   frozen" } else { "" };
    Line::from(format!("redstream   entries {}   delayed {}{memory}{frozen}", count(entries), count(delayed))).bold()
}

fn footer(state: &State) -> Line<'static> {
    if let Some(error) = &state.error {
        return Line::from(error.clone()).style(Color::Red);
    }
    Line::from(state.told.clone().unwrap_or_else(|| "? keys   p pause   q end".to_owned())).dim()
}

fn draw_consumers(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let rows = state.rows.iter().map(|row| {
        let lag = count(row.lag) + if row.lag_is_more { "+" } else { "" };
        let pace = row.pace.map_or_else(|| "-".to_owned(), |pace| format!("{:+.0}/s", -pace));
        let cells = [
            row.stream.clone(),
            row.consumer.clone(),
            row.state.to_string(),
            lag,
            pace,
            maybe(row.behind),
            count(row.dead_letters),
            bars(&row.lags),
        ];
        Cells::new(cells).style(color(row))
    });
    let widths = [
        Constraint::Fill(2),
        Constraint::Fill(2),
        Constraint::Length(8),
        Constraint::Length(10),
        Constraint::Length(9),
        Constraint::Length(8),
        Constraint::Length(6),
        Constraint::Fill(3),
    ];
    let heads = Cells::new(["STREAM", "CONSUMER", "STATE", "LAG", "CHANGE", "BEHIND", "DEAD", "LAG OVER TIME"]).bold();
    let table = Table::new(rows, widths).header(heads).row_highlight_style(Style::new().reversed());
    let mut selected = TableState::new().with_selected(Some(state.selected));
    frame.render_stateful_widget(table, area, &mut selected);
}

fn color(row: &Row) -> Style {
    match row.state {
        _ if row.dead_letters > 0 => Style::new().fg(Color::Red),
        ConsumerState::Stopped if row.lag > 0 => Style::new().fg(Color::Red),
        ConsumerState::Paused | ConsumerState::Pausing => Style::new().fg(Color::Yellow),
        _ => Style::new(),
    }
}

fn draw_problems(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let lines = state.problems.iter().filter(|problem| problem.severity > Severity::Note).map(|problem| {
        let color = if problem.severity == Severity::Error { Color::Red } else { Color::Yellow };
        Line::from(format!("{}: {}", problem.place, problem.cause)).style(color)
    });
    let lines: Vec<_> = lines.collect();
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" redstream doctor ")), area);
}

/// Heights relative to the greatest.
fn bars(lags: &[u64]) -> String {
    let most = lags.iter().copied().max().unwrap_or(0).max(1);
    let bar = |lag: &u64| {
        let height = (u128::from(*lag) * 8).div_ceil(u128::from(most));
        BARS[usize::try_from(height).unwrap_or(8).min(8)]
    };
    lags.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;
    use crate::top::state::Wish;

    fn row(consumer: &str, lag: u64) -> Row {
        Row {
            stream: "books".to_owned(),
            consumer: consumer.to_owned(),
            state: ConsumerState::Running,
            is_paused: false,
            lag,
            lag_is_more: false,
            behind: None,
            dead_letters: 0,
            pace: Some(12.0),
            lags: vec![0, lag],
        }
    }

    fn state() -> State {
        let mut state = State::default();
        state.rows = vec![row("cache", 0), row("search", 1234)];
        state
    }

    fn screen(state: &State) -> String {
        let mut terminal = Terminal::new(TestBackend::new(100, 12)).unwrap();
        terminal.draw(|frame| draw(frame, state)).unwrap();
        terminal.backend().to_string()
    }

    fn press(state: &mut State, code: KeyCode) -> Wish {
        state.pressed(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn each_consumer_has_a_line_with_its_lag_over_time() {
        let screen = screen(&state());
        for word in ["books", "search", "1,234", "running", "-12/s", "█", "? keys"] {
            assert!(screen.contains(word), "{word} is missing:\n{screen}");
        }
        assert_eq!(bars(&[0, 1, 500, 1000]), " ▁▄█");
        assert_eq!(bars(&[]), "");
        assert_eq!(bars(&[u64::MAX, 0]), "█ ");
    }

    #[test]
    fn keys_choose_pause_freeze_and_end() {
        let mut state = state();
        assert_eq!(press(&mut state, KeyCode::Char('p')), Wish::Toggle(row("cache", 0)));
        press(&mut state, KeyCode::Down);
        press(&mut state, KeyCode::Down);
        assert_eq!(press(&mut state, KeyCode::Char('p')), Wish::Toggle(row("search", 1234)), "there are two");
        press(&mut state, KeyCode::Up);
        assert_eq!(state.selected, 0);
        press(&mut state, KeyCode::Char(' '));
        assert!(state.is_frozen() && screen(&state).contains("frozen"));
        press(&mut state, KeyCode::Char('?'));
        assert!(screen(&state).contains("choose a consumer"));
        assert_eq!(press(&mut state, KeyCode::Esc), Wish::Nothing, "it closes the help");
        assert_eq!(press(&mut state, KeyCode::Char('q')), Wish::End);
        assert_eq!(press(&mut State::default(), KeyCode::Char('p')), Wish::Nothing, "there is no consumer");
    }

    #[test]
    fn a_look_that_fails_is_told_and_the_next_one_takes_it_away() {
        let mut state = state();
        let refused = redstream_core::Error::UnexpectedReply { attempt: "look".to_owned(), reply: "x".to_owned() };
        state.saw(Err(refused), Instant::now());
        assert!(screen(&state).contains("look"), "{}", screen(&state));
        assert_eq!(state.rows.len(), 2, "the last ones that were seen");
    }
}
