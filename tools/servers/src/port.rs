//! Free ports on the loopback interface.

use crate::{Error, Result};
use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::{Ipv4Addr, TcpListener},
};

/// A port of the loopback interface on which no process listens.
///
/// It is below the range from which the operating system takes the ports of outgoing
/// connections. Otherwise a client could be given the port of a server that is just restarting,
/// which then could not restart.
pub fn free_port() -> Result<u16> {
    const LOWEST: u16 = 10_000;
    const COUNT: u16 = 20_000;
    // Each RandomState has a new seed: processes that start together try different ports.
    let seed = RandomState::new().hash_one(std::process::id());
    let start = u16::try_from(seed % u64::from(COUNT)).unwrap_or_default();
    (0..COUNT)
        .map(|step| LOWEST + (start + step) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or_else(|| Error::io("find a free port on 127.0.0.1")(io::ErrorKind::AddrInUse.into()))
}

/// Calls `start` with a free port, and again with another one if another process took the port
/// between finding it and listening on it.
pub(crate) fn on_a_free_port<T>(start: impl Fn(u16) -> Result<T>) -> Result<T> {
    const TRIES: usize = 5;
    for _ in 1..TRIES {
        match start(free_port()?) {
            Err(Error::Ended { log, .. }) if log.to_lowercase().contains("already in use") => {}
            result => return result,
        }
    }
    start(free_port()?)
}
