//! Statements that are allowed although their text does not say what they write.

use sea_orm::ConnectionTrait;

use crate::hooks::lookup;

/// Permits the next statement of which the [`BypassGuard`](crate::BypassGuard) cannot know what it writes (`DO`,
/// `EXECUTE`, `CALL`), once, in this tokio task and on this connection or transaction. Call it right before a statement
/// that writes no streamed table.
///
/// Does nothing with a connection that is not streamed, which refuses nothing.
///
/// ```no_run
/// use redstream_seaorm::{StreamedConnection, hooks};
/// use sea_orm::ConnectionTrait;
///
/// # async fn example(db: StreamedConnection) -> Result<(), sea_orm::DbErr> {
/// hooks::allow_unread(&db);
/// db.execute_unprepared("CALL refresh_statistics()").await?;
/// # Ok(()) }
/// ```
///
/// A statement that does write streamed tables belongs in [`producer.bulk`](crate::BulkExt::bulk), with the records
/// that it writes; there these statements need no permission.
pub fn allow_unread<C: ConnectionTrait>(db: &C) {
    if let Some(target) = lookup::find(db)
        && let Some(permits) = target.permits()
    {
        permits.give_unread();
    }
}
