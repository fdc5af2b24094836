//! Detects consumers that lag behind, before the messages that they keep fill up Redis.

use std::time::Duration;

use super::Trimmer;
use crate::error::Result;
use crate::metrics;
use crate::transport::scripts;
use crate::transport::session::Session;

impl Trimmer {
    /// Measures how far behind each registered or listed consumer is, and warns of those that are too far behind.
    /// `warned`: those for which a warning was already given.
    pub(super) async fn watch(&self, session: &Session, warned: &mut Vec<String>) -> Result<()> {
        let keys = self.redstream.keys();
        let mut hkeys = redis::cmd("HKEYS");
        hkeys.arg(keys.registry(&self.stream));
        let mut consumers: Vec<String> = session.command("read the registry", &hkeys).await?;
        // A misspelled consumer that is only listed would keep everything without end.
        consumers.extend(self.listed.iter().filter(|name| !consumers.contains(name)).cloned().collect::<Vec<_>>());
        warned.retain(|consumer| consumers.contains(consumer));
        for consumer in consumers {
            let mut script = scripts::LAG.prepare_invoke();
            script.key(keys.stream(&self.stream)).key(keys.offset(&self.stream, &consumer));
            let ms: i64 = session.script("measure a lag", &script).await?;
            let behind = Duration::from_millis(ms.try_into().unwrap_or(0));
            let labels = [("stream", self.stream.to_string()), ("consumer", consumer.clone())];
            ::metrics::gauge!(metrics::BEHIND, &labels).set(behind.as_secs_f64());
            let known = warned.iter().position(|warned| *warned == consumer);
            match (behind > self.warn_behind, known) {
                (true, None) => {
                    tracing::warn!(
                        stream = %self.stream, consumer, ?behind,
                        "a consumer is far behind, and the messages it has not committed fill up Redis: is it running? \
                         If it was retired, forget it"
                    );
                    warned.push(consumer);
                }
                (false, Some(at)) => {
                    warned.swap_remove(at);
                    tracing::info!(stream = %self.stream, consumer, ?behind, "the consumer has caught up");
                }
                _ => {}
            }
        }
        Ok(())
    }
}
