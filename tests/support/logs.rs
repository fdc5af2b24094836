//! What was logged while a test ran.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// Captures what is logged, at every level, on the thread that created it, for as long as it
/// lives. With plain `#[tokio::test]` that is everything the test and its tasks log.
pub(crate) struct Logs {
    written: Written,
    _guard: DefaultGuard,
}

impl Logs {
    pub(crate) fn capture() -> Self {
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(written.clone())
            .finish();
        Self { written, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// Everything so far, one line per event: time, level, target, message, fields.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.written.lock()).into_owned()
    }

    /// Whether some line contains all of these texts, such as `["WARN", "delay message"]`.
    pub(crate) fn has(&self, pieces: &[&str]) -> bool {
        self.text().lines().any(|line| pieces.iter().all(|piece| line.contains(piece)))
    }
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().expect("no thread panics while writing a log line")
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
