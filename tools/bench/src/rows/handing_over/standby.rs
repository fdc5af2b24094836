//! A consumer that reports when its handler is called.

use anyhow::{Context, Result};
use redstream_core::{Batch, CancellationToken, Consumer, Stream, Worker, WorkerState};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

pub(super) struct Standby {
    calls: UnboundedReceiver<Instant>,
    stop: CancellationToken,
    running: JoinHandle<redstream_core::Result<()>>,
    consumer: Consumer,
}

impl Standby {
    pub(super) fn start(stream: &Stream, ttl: Duration) -> Self {
        let (called, calls) = unbounded_channel();
        let handler = move |_: Batch| {
            let called = called.send(Instant::now());
            async move { Ok(called?) }
        };
        let consumer = stream.consumer("handed-over", handler).lock_ttl(ttl);
        let stop = CancellationToken::new();
        let (runs, until) = (consumer.clone(), stop.clone());
        let running = tokio::spawn(async move { runs.run(until).await });
        Self { calls, stop, running, consumer }
    }

    /// Returns once it waits for the lock, or holds it.
    pub(super) async fn is(&self, state: WorkerState) -> Result<()> {
        let status = self.consumer.status().context("a consumer has a status")?;
        let until = async {
            while status.state() != state {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        Ok(tokio::time::timeout(Duration::from_secs(30), until).await?)
    }

    /// The time of the next call of its handler.
    pub(super) async fn called(&mut self) -> Result<Instant> {
        let call = tokio::time::timeout(Duration::from_secs(60), self.calls.recv()).await?;
        call.context("the consumer ended")
    }

    /// Stops it; it finishes, and releases its lock.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    pub(super) async fn ended(self) -> Result<()> {
        Ok(self.running.await??)
    }
}
