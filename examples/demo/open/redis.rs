//! A private Redis, which persists what it has acknowledged, and which can be killed.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use redstream_servers::{Error, Redis, RedisEdition, RedisOptions};

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct PrivateRedis {
    url: String,
    /// `None` when the demo has ended.
    server: Arc<Mutex<Option<Redis>>>,
}

impl PrivateRedis {
    /// The newest Redis to be had, with an append-only file.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let start = || RedisOptions::new().edition(RedisEdition::newest()?).append_only(true).start();
        let server = tokio::task::spawn_blocking(start).await?.context("cannot start a private Redis")?;
        Ok(Self { url: server.url(), server: Arc::new(Mutex::new(Some(server))) })
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// By SIGKILL.
    pub(super) async fn kill(&self) -> anyhow::Result<()> {
        self.with(Redis::kill).await
    }

    /// With the data that it has on disk.
    pub(super) async fn restart(&self) -> anyhow::Result<()> {
        self.with(Redis::restart).await
    }

    /// Ends it and removes its data.
    pub(super) async fn stop(self) {
        // It fails only if the program is about to end.
        _ = tokio::task::spawn_blocking(move || drop(self.take())).await;
    }

    fn take(&self) -> Option<Redis> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn with(&self, change: impl FnOnce(&mut Redis) -> Result<(), Error> + Send + 'static) -> anyhow::Result<()> {
        let server = self.server.clone();
        let change = move || {
            let mut server = server.lock().unwrap_or_else(PoisonError::into_inner);
            server.as_mut().map_or(Ok(()), change)
        };
        Ok(tokio::task::spawn_blocking(change).await??)
    }
}
