//! A connection for large writes, for one caller at a time.

use std::sync::{Arc, Mutex, PoisonError};

use crate::transport::connector::Connector;
use crate::transport::resp::RespConnection;

/// Opened by its first caller.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExclusiveConnection(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Absent,
    Lent,
    Here(Box<RespConnection>),
    /// Used with TLS and with a cluster.
    Impossible,
}

/// A lease of the connection, until this is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionLease {
    own: ExclusiveConnection,
    after: State,
}

impl ExclusiveConnection {
    /// `None` if another caller has it, or if there is none.
    pub(crate) fn borrow(&self) -> Option<ConnectionLease> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Lent) {
            after @ (State::Absent | State::Here(_)) => Some(ConnectionLease { own: self.clone(), after }),
            other @ (State::Lent | State::Impossible) => {
                *state = other;
                None
            }
        }
    }
}

impl ConnectionLease {
    /// `None` if it was not opened.
    pub(crate) fn wire(&mut self) -> Option<&mut RespConnection> {
        if let State::Here(wire) = &mut self.after { Some(wire) } else { None }
    }

    /// Opens it, if that is possible.
    pub(crate) async fn open(&mut self, connector: &Connector) {
        match connector.open_wire().await {
            Ok(Some(wire)) => self.after = State::Here(Box::new(wire)),
            Ok(None) => self.after = State::Impossible,
            // The shared connection fails in the same way, and reports it.
            Err(_) => {}
        }
    }

    /// The next caller opens another connection.
    pub(crate) fn discard(&mut self) {
        self.after = State::Absent;
    }
}

impl Drop for ConnectionLease {
    fn drop(&mut self) {
        // Also if the caller's future was dropped: the connection skips its pending replies.
        let after = match std::mem::take(&mut self.after) {
            State::Here(wire) if wire.is_broken() => State::Absent,
            after => after,
        };
        *self.own.0.lock().unwrap_or_else(PoisonError::into_inner) = after;
    }
}
