//! A connection that one caller has for a while.

use std::sync::Arc;

use crate::transport::connection::Connection;
use crate::transport::pool::Pool;

/// Dropping it closes the connection, on which a command may still be blocked; [`give_back`](Self::give_back) keeps it
/// for others.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    connection: Connection,
}

impl Lease {
    pub(super) fn new(pool: Arc<Pool>, connection: Connection) -> Self {
        Self { pool, connection }
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// All commands were answered.
    pub(crate) fn give_back(self) {
        self.pool.put_back(self.connection);
    }
}
