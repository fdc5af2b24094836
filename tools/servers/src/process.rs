//! One server process: its directory, its log, and the signals it is sent.

use crate::{Error, Result, account::Account, error::last_lines, watchdog::Watchdog};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a server may take to become ready.
const START_UP: Duration = Duration::from_mins(1);
/// How long a server may take to end by itself before it is killed.
const ENDING: Duration = Duration::from_secs(5);
/// How often the log is read while a server starts.
const POLL: Duration = Duration::from_millis(5);

/// The temporary directory of one server, with its watchdog.
#[derive(Debug)]
pub(crate) struct Home {
    // Dropped in this order: a directory must not be removed after another process has got it.
    watchdog: Watchdog,
    directory: TempDir,
    account: Option<Account>,
}

impl Home {
    /// Makes a directory for the server `name`, which belongs to `account` if there is one. If this process dies, the
    /// server is ended with `signal`, and the directory is removed.
    pub(crate) fn new(name: &str, signal: &str, account: Option<Account>) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(&format!("redstream-{name}-"))
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent())
            .map_err(Error::io("make a temporary directory"))?;
        if let Some(Account { user, group }) = account {
            chown(directory.path(), Some(user), Some(group))
                .map_err(Error::io(format!("give {} to {name}", directory.path().display())))?;
        }
        let watchdog = Watchdog::over(directory.path(), signal)?;
        Ok(Self { watchdog, directory, account })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A command that runs in this directory as its account.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(self.path()).stdin(Stdio::null());
        if let Some(Account { user, group }) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    fn log(&self) -> PathBuf {
        self.path().join("log")
    }
}

/// The parent of the directories: in memory if that has room, since a busy disk makes a server that writes to it before
/// each answer wait for seconds. A restarted server still finds its data there.
fn parent() -> PathBuf {
    const MEMORY: &str = "/dev/shm";
    const ROOM: u64 = 4 << 30;
    match rustix::fs::statvfs(MEMORY) {
        Ok(memory) if memory.f_bavail.saturating_mul(memory.f_frsize) >= ROOM => MEMORY.into(),
        _ => std::env::temp_dir(),
    }
}

/// A server that runs in its [`Home`], or stopped in it and can be started again.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    home: Home,
    child: Option<Child>,
    ends_by: Signal,
}

impl Server {
    /// A server that is not started yet. `ends_by` is the signal that ends it on drop.
    pub(crate) fn new(name: &'static str, home: Home, ends_by: Signal) -> Self {
        Self { name, home, child: None, ends_by }
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// Starts `command` and waits until its log says `ready`, for 60 seconds at most.
    ///
    /// The log and not the port, because another server might answer on the port.
    pub(crate) fn start(&mut self, command: &mut Command, ready: &str) -> Result<()> {
        let mut log = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(self.home.log())
            .map_err(Error::io("open the server's log"))?;
        let from = log.seek(SeekFrom::End(0)).map_err(Error::io("read the server's log"))?;
        let copy = || log.try_clone().map_err(Error::io("open the server's log"));
        let child = command
            .stdout(copy()?)
            .stderr(copy()?)
            // A group of its own: ctrl-C in the terminal is for the owner, which ends the server.
            .process_group(0)
            .spawn()
            .map_err(Error::io(format!("start {}", self.name)))?;
        let id = child.id();
        self.child = Some(child);
        self.home.watchdog.watch(Some(id))?;
        self.wait_until_ready(&mut log, from, ready)
    }

    fn wait_until_ready(&mut self, log: &mut File, from: u64, ready: &str) -> Result<()> {
        let deadline = Instant::now() + START_UP;
        loop {
            // Asked before the log is read, so that a server's last words are in it.
            let ended = self.ended()?;
            let said = read_from(log, from).map_err(Error::io("read the server's log"))?;
            let server = self.name.to_owned();
            if let Some(status) = ended {
                self.child = None;
                self.home.watchdog.watch(None)?;
                return Err(Error::Ended { server, status, log: last_lines(&said) });
            }
            if said.contains(ready) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::NotReady { server, within: START_UP, log: last_lines(&said) });
            }
            thread::sleep(POLL);
        }
    }

    fn ended(&mut self) -> Result<Option<String>> {
        let Some(child) = &mut self.child else {
            return Ok(None);
        };
        let status = child.try_wait().map_err(Error::io(format!("look after {}", self.name)))?;
        Ok(status.map(|status| status.to_string()))
    }

    /// Sends a signal to the running server.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let not_running = || Error::NotRunning { server: self.name.to_owned() };
        let child = self.child.as_ref().ok_or_else(not_running)?;
        // The child has not been waited for, so the id is still its own.
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(not_running)?;
        kill_process(pid, signal).map_err(|errno| Error::io(format!("signal {}", self.name))(errno.into()))
    }

    /// Kills the server with SIGKILL and returns when it has ended. Does nothing if it is not running.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        child.kill().map_err(Error::io(format!("kill {}", self.name)))?;
        child.wait().map_err(Error::io(format!("wait for the end of {}", self.name)))?;
        self.home.watchdog.watch(None)
    }

    /// Ends the server with its own signal, and kills it if it takes too long.
    fn end(&mut self) -> Result<()> {
        if self.child.is_some() && self.ends_by != Signal::KILL {
            self.signal(self.ends_by)?;
            let deadline = Instant::now() + ENDING;
            while self.ended()?.is_none() && Instant::now() < deadline {
                thread::sleep(POLL);
            }
        }
        self.kill()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            crate::say(&format!("{} could not be stopped: {error}", self.name));
        }
    }
}

fn read_from(log: &mut File, from: u64) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    log.seek(SeekFrom::Start(from))?;
    log.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Runs a command to its end, without output. When it fails, its last lines are in the error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let text = format!("{command:?}").replace('"', "");
    let output = command.stdin(Stdio::null()).output().map_err(Error::io(format!("run {text}")))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = [output.stdout, output.stderr].concat();
    Err(Error::Command {
        command: text,
        status: output.status.to_string(),
        output: last_lines(&String::from_utf8_lossy(&printed)),
    })
}
