//! Who holds a lock: the process that its value names.

use std::fmt;

use serde::Serialize;

/// The longest name of a host that a lock has, in bytes.
const LONGEST: usize = 64;

/// The process that holds a lock.
///
/// In containers the host is usually the name of the container or pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Holder {
    /// The name of its host. Characters other than ASCII letters, digits, `.`, `-` and `_` are `-`; at most 64.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
}

impl Holder {
    pub(crate) fn this_process() -> Self {
        Self { host: plain(&gethostname::gethostname().to_string_lossy()), pid: std::process::id() }
    }

    /// Of the value of a lock, `RANDOM@HOST:PID/TTL`. `None` if that names none: the Ruby gem's is random alone.
    pub(crate) fn of(lock: &str) -> Option<Self> {
        let (holder, _ttl) = lock.split_once('@')?.1.rsplit_once('/')?;
        let (host, pid) = holder.rsplit_once(':')?;
        Some(Self { host: host.to_owned(), pid: pid.parse().ok()? })
    }
}

/// `web-1:4711`.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.pid)
    }
}

/// What needs no escaping in JSON, and no part of a lock's value ends with.
fn plain(host: &str) -> String {
    let is_plain = |char: &char| char.is_ascii_alphanumeric() || ".-_".contains(*char);
    host.chars().take(LONGEST).map(|char| if is_plain(&char) { char } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_names_its_holder_if_it_names_one() {
        let this = Holder::this_process();
        assert_eq!(Holder::of(&format!("0123456789abcdef@{this}/5000")), Some(this));
        let none =
            ["", "0123456789abcdef", "0123456789abcdef/5000", "0123@web-1:4711", "0123@web-1/5000", "0123@:x/5000"];
        assert_eq!(none.map(Holder::of), [const { None }; 6]);
    }

    #[test]
    fn a_name_of_a_host_needs_no_escaping() {
        assert_eq!(plain("web-1.shop_eu"), "web-1.shop_eu");
        assert_eq!(plain("Käse \"1\"/2:3@4"), "K-se--1--2-3-4");
        assert_eq!(plain(&"x".repeat(100)).len(), LONGEST);
    }
}
