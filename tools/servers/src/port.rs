//! Free ports on the loopback interface.

use crate::{Error, Result};
use std::{
    fmt,
    fs::{self, File},
    hash::{BuildHasher, RandomState},
    io,
    net::{Ipv4Addr, TcpListener},
    sync::Arc,
};

const LOWEST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// A port of the loopback interface that is reserved for one private server while this exists: no other is given it, in
/// this or in another process, also while its server is killed and about to be started again.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    number: u16,
    /// Locked; the operating system unlocks it when the process ends, however it ends.
    _reservation: Arc<File>,
}

impl Port {
    /// A port on which no process listens.
    ///
    /// It is below the range from which the operating system takes the ports of outgoing
    /// connections. Otherwise a client could be given the port of a server that is just restarting,
    /// which then could not restart.
    pub(crate) fn reserve() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("redstream-ports-{}", rustix::process::getuid().as_raw()));
        fs::create_dir_all(&folder).map_err(Error::io(format!("create {}", folder.display())))?;
        // Each RandomState has a new seed: processes that start together try different ports.
        let seed = RandomState::new().hash_one(std::process::id());
        let start = u16::try_from(seed % u64::from(COUNT)).unwrap_or_default();
        for number in (0..COUNT).map(|step| LOWEST + (start + step) % COUNT) {
            let file = folder.join(number.to_string());
            let attempt = Error::io(format!("open {}", file.display()));
            let reservation = File::options().create(true).truncate(false).write(true).open(&file).map_err(attempt)?;
            let is_reserved = reservation.try_lock().is_ok();
            if is_reserved && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _reservation: Arc::new(reservation) });
            }
        }
        Err(Error::io("find a free port on 127.0.0.1")(io::ErrorKind::AddrInUse.into()))
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

/// A port of the loopback interface on which no process listens, and which no private server has reserved. It is not
/// reserved itself.
pub fn free_port() -> Result<u16> {
    Port::reserve().map(|port| port.number())
}

/// Calls `start` with a free port, and again with another one if another process took the port
/// between finding it and listening on it.
pub(crate) fn on_a_free_port<T>(start: impl Fn(Port) -> Result<T>) -> Result<T> {
    const TRIES: usize = 5;
    for _ in 1..TRIES {
        match start(Port::reserve()?) {
            Err(Error::Ended { log, .. }) if log.to_lowercase().contains("already in use") => {}
            result => return result,
        }
    }
    start(Port::reserve()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_given_to_no_other_though_nothing_listens_on_it() {
        let folder = std::env::temp_dir().join(format!("redstream-ports-{}", rustix::process::getuid().as_raw()));
        let port = Port::reserve().unwrap();
        let again = || File::options().write(true).open(folder.join(port.to_string())).unwrap().try_lock().is_ok();
        assert!(!again(), "another server would be given {port}");
        let copy = port.clone();
        drop(port.clone());
        assert!(!again(), "a copy keeps it");
        let number = port.number();
        drop((port, copy));
        let freed = File::options().write(true).open(folder.join(number.to_string())).unwrap();
        assert!(freed.try_lock().is_ok());
    }
}
