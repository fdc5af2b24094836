//! Detects consumers that lag behind, before the messages that they keep fill up Redis.

use std::time::Duration;

use super::Trimmer;
use crate::error::Result;
use crate::message::StreamName;
use crate::metrics;
use crate::transport::scripts;
use crate::transport::session::Session;

/// The consumers that a trimmer measures while it holds its lock.
pub(super) struct Watched<'a> {
    stream: &'a StreamName,
    measured: Vec<String>,
    /// Those for which a warning was already given.
    warned: Vec<String>,
}

impl<'a> Watched<'a> {
    pub(super) fn of(stream: &'a StreamName) -> Self {
        Self { stream, measured: Vec::new(), warned: Vec::new() }
    }

    fn set(&self, consumer: &str, seconds: f64) {
        let labels = [("stream", self.stream.to_string()), ("consumer", consumer.to_owned())];
        ::metrics::gauge!(metrics::BEHIND, &labels).set(seconds);
    }

    /// Ends the series of consumers that are gone.
    fn keep(&mut self, consumers: &[String]) {
        self.warned.retain(|consumer| consumers.contains(consumer));
        for gone in self.measured.iter().filter(|consumer| !consumers.contains(consumer)) {
            self.set(gone, f64::NAN);
        }
        self.measured = consumers.to_vec();
    }
}

/// Another trimmer has later values: a gauge that is not set again would keep its last one.
impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.measured.iter().for_each(|consumer| self.set(consumer, f64::NAN));
    }
}

impl Trimmer {
    /// Measures how far behind each registered or listed consumer is, and warns of those that are too far behind.
    pub(super) async fn watch(&self, session: &Session, watched: &mut Watched<'_>) -> Result<()> {
        let keys = self.redstream.keys();
        let mut hkeys = redis::cmd("HKEYS");
        hkeys.arg(keys.registry(&self.stream));
        let mut consumers: Vec<String> = session.command("read the registry", &hkeys).await?;
        // A misspelled consumer that is only listed would keep everything without end.
        consumers.extend(self.listed.iter().filter(|name| !consumers.contains(name)).cloned().collect::<Vec<_>>());
        watched.keep(&consumers);
        for consumer in consumers {
            let mut script = scripts::LAG.prepare_invoke();
            script.key(keys.stream(&self.stream)).key(keys.offset(&self.stream, &consumer));
            let ms: i64 = session.script("measure a lag", &script).await?;
            let behind = Duration::from_millis(ms.try_into().unwrap_or(0));
            watched.set(&consumer, behind.as_secs_f64());
            let known = watched.warned.iter().position(|warned| *warned == consumer);
            match (behind > self.warn_behind, known) {
                (true, None) => {
                    tracing::warn!(
                        stream = %self.stream, consumer, ?behind,
                        "a consumer is far behind, and the messages it has not committed fill up Redis: is it running? \
                         If it was retired, forget it"
                    );
                    watched.warned.push(consumer);
                }
                (false, Some(at)) => {
                    watched.warned.swap_remove(at);
                    tracing::info!(stream = %self.stream, consumer, ?behind, "the consumer has caught up");
                }
                _ => {}
            }
        }
        Ok(())
    }
}
