//! Output for users: one line for each event, on standard output, and progress bars meanwhile, on standard error if
//! that is a terminal.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::Write as _;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressFinish, ProgressStyle};

/// A terminal, or a substitute for one.
#[derive(Debug)]
pub(crate) struct Screen {
    bars: MultiProgress,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { bars: MultiProgress::new() }
    }

    /// One line.
    pub(crate) fn say(&self, line: impl Display) {
        // If standard output is closed (`| head`), children and tables must still be removed.
        self.bars.suspend(|| _ = writeln!(std::io::stdout(), "{line}"));
    }

    /// A line that belongs to a step of the demo.
    pub(crate) fn tell(&self, step: &str, line: impl Display) {
        self.say(format_args!("{step:<15} {line}"));
    }

    /// A bar that is removed by itself.
    pub(crate) fn bar(&self, what: impl Into<Cow<'static, str>>, length: usize) -> ProgressBar {
        self.show(what, "{msg:32} {bar:40} {human_pos}/{human_len}", Some(length as u64))
    }

    /// Something that turns while the end is not known.
    pub(crate) fn spinner(&self, what: impl Into<Cow<'static, str>>) -> ProgressBar {
        self.show(what, "{spinner} {msg} {elapsed}", None)
    }

    /// Removes all bars.
    pub(crate) fn clear(&self) {
        // Nothing to clear if standard error is no terminal.
        _ = self.bars.clear();
    }

    fn show(&self, what: impl Into<Cow<'static, str>>, template: &str, length: Option<u64>) -> ProgressBar {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let bar = bar.with_style(style).with_message(what).with_finish(ProgressFinish::AndClear);
        let bar = self.bars.add(bar);
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

/// `144563` as `144,563`.
pub(crate) fn grouped(number: impl TryInto<u64>) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    indicatif::HumanCount(number).to_string()
}

/// A duration in readable form: `6.1 s`, or `12 ms` if it is short.
pub(crate) fn time(duration: Duration) -> String {
    if duration < Duration::from_millis(100) {
        return format!("{} ms", duration.as_millis());
    }
    format!("{:.1} s", duration.as_secs_f64())
}
