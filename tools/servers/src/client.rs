//! Redis clients of other languages, for tests that other languages can read our messages.

use crate::{
    Error, Result,
    error::last_lines,
    install::{cache, install_system, system},
    process::run,
    programs::find,
    say,
};
use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::{Mutex, PoisonError},
};

/// A language, with its usual client of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Client {
    /// redis-py, from the Python package index.
    Python,
    /// ioredis, from npm.
    Node,
    /// redis-rb, from the operating system, or otherwise from rubygems.org.
    Ruby,
}

const REDIS_PY: &str = "redis==8.1.0";
/// The last version for the Node of Debian 12.
const IOREDIS: &str = "ioredis@5.9.2";

/// Package managers must not run concurrently.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Client {
    /// Every client: what the whole test suite needs.
    pub const ALL: [Self; 3] = [Self::Python, Self::Node, Self::Ruby];

    /// The language's interpreter, which finds the client. A missing client is installed first.
    pub fn command(self) -> Result<Command> {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        self.install_interpreter()?;
        if self.load().is_err() {
            say(&format!("the Redis client of {self:?} not found: installing it"));
            self.install().map_err(|error| self.missing(error.in_words()))?;
            self.load().map_err(|error| self.missing(format!("it was installed, but does not load: {error}")))?;
        }
        Ok(self.interpreter())
    }

    fn interpreter(self) -> Command {
        let (program, variable) = match self {
            Self::Python => ("python3", "PYTHONPATH"),
            Self::Node => ("node", "NODE_PATH"),
            Self::Ruby => return Command::new(find("ruby").unwrap_or_else(|| "ruby".into())),
        };
        let mut command = Command::new(find(program).unwrap_or_else(|| program.into()));
        command.env(variable, self.libraries());
        command
    }

    fn install_interpreter(self) -> Result<()> {
        let packages: &[_] = match self {
            Self::Python => &[],
            Self::Node => &[&system::NODE, &system::NPM],
            Self::Ruby => &[&system::RUBY],
        };
        packages.iter().try_for_each(|package| install_system(package))
    }

    /// Loads the client once. The error is the interpreter's output.
    fn load(self) -> std::result::Result<(), String> {
        let (option, load) = match self {
            Self::Python => ("-c", "import redis"),
            Self::Node => ("-e", "require('ioredis')"),
            Self::Ruby => ("-e", "require 'redis'"),
        };
        let output = self.interpreter().args([option, load]).output().map_err(|error| error.to_string())?;
        if output.status.success() { Ok(()) } else { Err(last_lines(&String::from_utf8_lossy(&output.stderr))) }
    }

    fn install(self) -> Result<()> {
        let home = self.home();
        fs::create_dir_all(&home).map_err(Error::io(format!("make {}", home.display())))?;
        match self {
            Self::Python => {
                let pip = ["-m", "pip", "install", "--quiet", "--no-input", "--upgrade", REDIS_PY, "--target"];
                run(Command::new("python3").args(pip).arg(home))
            }
            Self::Node => run(Command::new("npm").args(["install", "--silent", IOREDIS, "--prefix"]).arg(home)),
            Self::Ruby if find("apt-get").is_some() => {
                system::install(&system::RUBY_REDIS).map_err(|tried| self.missing(tried))
            }
            Self::Ruby => run(Command::new("gem").args(["install", "--user-install", "--no-document", "redis"])),
        }
    }

    fn missing(self, tried: String) -> Error {
        let advice = match self {
            Self::Python => "see that `python3 -m pip install redis` works here (Debian: python3-pip)",
            Self::Node => "see that `npm install ioredis` works here (Debian: nodejs, npm)",
            Self::Ruby => "see that `ruby -e \"require 'redis'\"` works here (Debian: ruby-redis)",
        };
        Error::Missing { program: format!("the Redis client of {self:?}"), tried, advice: advice.to_owned() }
    }

    fn home(self) -> PathBuf {
        cache().join(match self {
            Self::Python => "redis-py",
            Self::Node => "ioredis",
            Self::Ruby => "redis-rb",
        })
    }

    fn libraries(self) -> PathBuf {
        if self == Self::Node { self.home().join("node_modules") } else { self.home() }
    }
}
