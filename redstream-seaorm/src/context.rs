//! What a connection and all its transactions share: the producer, and the bounds.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redstream_core::{NewMessage, Producer, StreamName, SyncToken, metrics};

use crate::Error;

#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) producer: Producer,
    pub(crate) resend_after: Duration,
    /// The streams whose delayer's delay was compared with `resend_after`.
    compared: Mutex<HashSet<StreamName>>,
}

impl Context {
    pub(crate) fn new(producer: Producer, resend_after: Duration) -> Self {
        Self { producer, resend_after, compared: Mutex::default() }
    }

    /// Writes delay messages and waits for Redis to acknowledge them.
    pub(crate) async fn insure(self: &Arc<Self>, messages: &[NewMessage]) -> Result<(), Error> {
        self.compare_delays(messages);
        match self.producer.delay_all(messages).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::NotInsured(Arc::new(error))),
        }
    }

    /// Writes main messages. Their rows are committed, so a failure fails nobody: the delay messages bring them.
    ///
    /// `uninsured`: the delay messages may have fallen due before the commit, so a failure is tried again until it
    /// succeeds, in the background.
    pub(crate) async fn announce(self: &Arc<Self>, messages: Vec<NewMessage>, uninsured: bool) -> SyncToken {
        let mut token = SyncToken::new();
        if messages.is_empty() {
            return token;
        }
        let error = match self.producer.queue_all(&messages).await {
            Ok(ids) => {
                for (message, id) in messages.into_iter().zip(ids) {
                    token.add(message, Some(id));
                }
                return token;
            }
            Err(error) => error,
        };
        for message in &messages {
            token.add(message.clone(), None);
        }
        let streams: HashSet<&StreamName> = messages.iter().map(|message| &message.stream).collect();
        for stream in streams {
            let failed = messages.iter().filter(|message| message.stream == *stream).count();
            ::metrics::counter!(metrics::MAIN_FAILED, "stream" => stream.to_string()).increment(failed as u64);
            tracing::warn!(
                %stream, messages = failed, error = &error as &dyn std::error::Error, retried = uninsured,
                "main messages not written after the commit: the delay messages bring the change later"
            );
        }
        if uninsured {
            tokio::spawn(persist(self.producer.clone(), messages));
        }
        token
    }

    /// Warns, once a stream, of a delayer that would re-queue delay messages before a long transaction commits.
    pub(crate) fn compare_delays(self: &Arc<Self>, messages: &[NewMessage]) {
        for message in messages {
            let new = {
                let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
                !compared.contains(&message.stream) && compared.insert(message.stream.clone())
            };
            if new {
                tokio::spawn(compare(self.clone(), message.stream.clone()));
            }
        }
    }
}

async fn compare(context: Arc<Context>, stream: StreamName) {
    // Not being able to look is no reason to worry anybody: it is only a warning that would be missed.
    let Ok(handle) = context.producer.redstream().stream(&stream) else { return };
    let Ok(Some(delay)) = handle.published_delay().await else { return };
    let needed = context.resend_after * 5;
    if delay < needed {
        tracing::warn!(
            %stream, ?delay, resend_after = ?context.resend_after, ?needed,
            "the delayer's delay is too short for this connection: a message can fall due before a slow transaction \
             commits, and its change be missed if a crash follows; lengthen the delay or shorten resend_after"
        );
    }
}

async fn persist(producer: Producer, messages: Vec<NewMessage>) {
    let mut pause = Duration::from_millis(100);
    loop {
        tokio::time::sleep(pause).await;
        if producer.queue_all(&messages).await.is_ok() {
            return;
        }
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}
