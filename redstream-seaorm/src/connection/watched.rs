//! `db.watched()`: SeaORM's own connection for code that requires its type, which warns of writes it cannot track.

use std::sync::Arc;

use sea_orm::{DatabaseConnection, metric};

use crate::connection::StreamedConnection;
use crate::guard::{BypassGuard, Text, WrittenTable};
use crate::hooks::task_scope;
use crate::unit_of_work::shared::Shared;

impl StreamedConnection<DatabaseConnection> {
    /// A clone of the wrapped connection, of the same pool. It warns of statements that write a streamed table without
    /// an announcement by a hook: `update_many`, `delete_many`, `insert_many`, seeds, raw SQL, and saves of entities
    /// whose own behaviour calls no hook. For frameworks and crates that take a [`DatabaseConnection`]:
    ///
    /// ```no_run
    /// # use redstream_seaorm::StreamedConnection;
    /// # use sea_orm::{DatabaseConnection, DbErr};
    /// # async fn seed(_: &DatabaseConnection) -> Result<(), DbErr> { Ok(()) }
    /// # async fn example(db: StreamedConnection) -> Result<(), DbErr> {
    /// let plain = db.watched();
    /// db.scope(seed(&plain)).await
    /// # }
    /// ```
    ///
    /// SeaORM reports a statement after it has run, so none can be refused here: with [`BypassGuard::Warn`] each text
    /// is logged once as a warning; with [`BypassGuard::Deny`] each time as an error; with [`BypassGuard::Off`] not at
    /// all. Each is counted as a bypass. Not seen: `execute_unprepared`, `stream`, and writes through views. It
    /// replaces a metric callback that the wrapped connection has (on the clone; the wrapped connection keeps its own).
    pub fn watched(&self) -> DatabaseConnection {
        let mut plain = self.inner.clone();
        let shared = self.shared.clone();
        plain.set_metric_callback(move |info| watch(&shared, info));
        plain
    }
}

fn watch(shared: &Arc<Shared>, info: &metric::Info<'_>) {
    if shared.settings.guard == BypassGuard::Off {
        return;
    }
    let text = Text::read(&info.statement.sql, info.statement.db_backend);
    let task_scope = task_scope::current();
    let is_told = |written: &WrittenTable<'_>| task_scope.as_ref().is_some_and(|scope| scope.told.take(written));
    shared.guard.watch(&text, is_told, info.failed);
}
