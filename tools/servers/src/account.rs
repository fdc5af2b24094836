//! The accounts of servers that refuse to run as root.

use crate::{Error, Result};
use std::{fs, io};

/// A user and group of the operating system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Account {
    /// The account for a server that must not run as root: if this process runs as root, the account called `name`,
    /// which the server's package has created; otherwise its own (`None`).
    pub(crate) fn unless_ordinary(name: &str) -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let attempt = || format!("find the account {name} in /etc/passwd");
        let accounts = fs::read_to_string("/etc/passwd").map_err(Error::io(attempt()))?;
        let found = accounts.lines().find_map(|line| Self::parse(line, name));
        let account = found.ok_or_else(|| Error::io(attempt())(io::ErrorKind::NotFound.into()))?;
        Ok(Some(account))
    }

    /// Reads `name:password:user:group:…`.
    fn parse(line: &str, name: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let is_it = fields.next()? == name;
        let user = fields.nth(1)?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        is_it.then_some(Self { user, group })
    }
}
