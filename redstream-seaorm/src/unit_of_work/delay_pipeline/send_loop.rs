//! Sends delay messages from a task of its own.

use std::sync::Arc;

use crate::unit_of_work::delay_pipeline::DelayPipeline;

/// Sends pipeline after pipeline until no message waits. However it ends, waiting tasks are notified.
pub(super) struct SendLoop {
    delays: Arc<DelayPipeline>,
    ended: bool,
}

impl SendLoop {
    pub(super) fn new(delays: Arc<DelayPipeline>) -> Self {
        Self { delays, ended: false }
    }

    pub(super) async fn run(mut self) {
        self.send_all().await;
        // Another send loop may already run: from here on the state no longer describes this one.
        self.ended = true;
    }

    async fn send_all(&self) {
        let delays = &self.delays;
        loop {
            let (messages, next) = {
                let mut state = delays.state();
                if !state.is_due() {
                    state.in_flight = false;
                    return;
                }
                let next = state.send();
                (state.insured.as_slice()[next.clone()].to_vec(), next)
            };
            match delays.shared.producer.delay_all(&messages).await {
                Ok(ids) => delays.keep_ids(&mut delays.state(), next, ids),
                Err(error) => {
                    let mut state = delays.state();
                    state.failed = Some(Arc::new(error));
                    state.in_flight = false;
                    return;
                }
            }
        }
    }
}

impl Drop for SendLoop {
    fn drop(&mut self) {
        if !self.ended {
            // The runtime shuts down while a pipeline is in flight: not acknowledged means not insured.
            let mut state = self.delays.state();
            state.in_flight = false;
            state.failed.get_or_insert_with(|| {
                Arc::new(redstream_core::Error::UnexpectedReply {
                    attempt: "add delay messages".to_owned(),
                    reply: "none: the runtime is shutting down".to_owned(),
                })
            });
        }
        self.delays.progress.notify_waiters();
    }
}
