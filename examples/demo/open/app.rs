//! What all parts of the page use.

use std::sync::Arc;

use redstream_seaorm::{CancellationToken, Redstream, Stream, StreamedConnection};
use sea_orm::DatabaseConnection;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

use super::board::Board;
use super::keeper::Keeper;
use super::redis::PrivateRedis;
use crate::search::typed::Finder;
use crate::site::Site;

pub(super) struct App {
    pub(super) site: Site,
    pub(super) redstream: Redstream,
    pub(super) stream: Stream,
    /// The primary database itself: writes to it are not streamed.
    pub(super) database: DatabaseConnection,
    /// The primary database, written through Redstream.
    pub(super) db: StreamedConnection,
    pub(super) finder: Finder,
    pub(super) board: Board,
    pub(super) keeper: Keeper,
    /// `None` if the Redis is not ours to stop.
    pub(super) redis: Option<PrivateRedis>,
    /// Held while a button's work is done.
    pub(super) acting: Arc<Mutex<()>>,
    pub(super) end: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl App {
    /// Runs a task, which is dropped when the demo ends.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let end = self.end.clone();
        self.tasks.spawn(async move { _ = end.run_until_cancelled(work).await });
    }
}
