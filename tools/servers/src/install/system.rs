//! Servers from the operating system's package manager.

use crate::{process, programs::find, say};
use std::process::Command;

/// A server, and its names in package managers.
pub(crate) struct SystemPackage {
    pub(crate) program: &'static str,
    debian: &'static str,
    homebrew: &'static str,
}

pub(crate) const REDIS: SystemPackage =
    SystemPackage { program: "redis-server", debian: "redis-server", homebrew: "redis" };
pub(crate) const POSTGRES: SystemPackage =
    SystemPackage { program: "postgres", debian: "postgresql", homebrew: "postgresql" };
pub(crate) const MARIADB: SystemPackage =
    SystemPackage { program: "mariadbd", debian: "mariadb-server", homebrew: "mariadb" };
pub(crate) const PROMETHEUS: SystemPackage =
    SystemPackage { program: "prometheus", debian: "prometheus", homebrew: "prometheus" };
pub(crate) const CHROMIUM: SystemPackage =
    SystemPackage { program: "chromium", debian: "chromium", homebrew: "chromium" };
pub(crate) const NODE: SystemPackage = SystemPackage { program: "node", debian: "nodejs", homebrew: "node" };
pub(crate) const NPM: SystemPackage = SystemPackage { program: "npm", debian: "npm", homebrew: "node" };
pub(crate) const RUBY: SystemPackage = SystemPackage { program: "ruby", debian: "ruby", homebrew: "ruby" };
/// A library, whose presence no program shows.
pub(crate) const RUBY_REDIS: SystemPackage =
    SystemPackage { program: "redis-rb", debian: "ruby-redis", homebrew: "ruby" };

impl SystemPackage {
    pub(crate) fn advice(&self) -> String {
        format!(
            "install the package that brings it (Debian: {}, Homebrew: {}) and see that it is on \
             the PATH",
            self.debian, self.homebrew
        )
    }
}

/// Installs a package with the package manager of this machine, or returns what was tried.
pub(crate) fn install(package: &SystemPackage) -> Result<(), String> {
    if find("apt-get").is_some() {
        install_with_apt(package)
    } else if find("brew").is_some() {
        say(&format!("{} not found: installing {} with Homebrew", package.program, package.homebrew));
        run(Command::new("brew").args(["install", "--quiet", package.homebrew]))
    } else {
        Err("it is not on the PATH, and neither apt-get nor brew is there to install it".to_owned())
    }
}

fn install_with_apt(package: &SystemPackage) -> Result<(), String> {
    let root = rustix::process::geteuid().is_root();
    if !root && find("sudo").is_none() {
        return Err("it is not on the PATH, and installing it takes root or sudo".to_owned());
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if root { "env" } else { "sudo" });
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "--yes"]);
        // Another apt-get may be running: a machine's daily update, another test run.
        command.args(["-o", "DPkg::Lock::Timeout=300"]).args(arguments);
        command
    };
    say(&format!("{} not found: installing the Debian package {}", package.program, package.debian));
    run(&mut apt(&["update"]))?;
    run(&mut apt(&["install", "--no-install-recommends", package.debian]))
}

fn run(command: &mut Command) -> Result<(), String> {
    process::run(command).map_err(|error| error.in_words())
}
