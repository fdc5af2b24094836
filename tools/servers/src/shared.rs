//! The servers that the processes of a test run share, if no servers were started for them.
//!
//! The first process that asks starts the program `redstream-servers`, which runs the servers; the others find it. It
//! ends by itself some time after the last of these processes has ended. File locks show which processes are running,
//! since the operating system releases them however a process ends. In a folder below `target` are:
//!
//! - `running`, locked by the program. It inherits the lock from the process that starts it, as its standard input.
//! - `users`, locked (shared) by each process that uses the servers, and by the program when it ends.
//! - `turn`, locked by a process while it checks whether the program runs, and starts it.
//! - `addresses`, written by the program when the servers are ready.
//! - `log`, what the program and its build print.

use crate::{Error, Result, Servers, error::last_lines, newest_are_wanted};
use std::{
    env,
    fs::{self, File, TryLockError},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// How long the servers run without a user.
const LINGER: Duration = Duration::from_secs(30);
/// How long the program may take to be built, to install what is missing, and to start the servers.
const START: Duration = Duration::from_mins(5);
const POLL: Duration = Duration::from_millis(20);
const PROGRAM: &str = "the program that runs the servers of the tests";

static SHARED: OnceLock<Result<SharedServers>> = OnceLock::new();

/// The address of a shared server: what the environment says under this name, such as [`REDIS_URL`](crate::REDIS_URL),
/// or otherwise that of a server which runs until this process and all others that ask have ended.
///
/// # Errors
/// If the servers could not be started. It is not tried again in this process.
pub fn shared_url(variable: &str) -> Result<String, &'static Error> {
    if let Ok(url) = env::var(variable) {
        return Ok(url);
    }
    Ok(SHARED.get_or_init(SharedServers::find).as_ref()?.url(variable).to_owned())
}

/// Servers that other processes may use too. They run at least as long as this lives.
#[derive(Debug)]
pub struct SharedServers {
    addresses: String,
    _user: File,
    _program: Option<Child>,
}

impl SharedServers {
    /// Finds the servers of this workspace, or starts them.
    pub fn find() -> Result<Self> {
        let edition = if newest_are_wanted() { "newest" } else { "system" };
        Self::find_in(&workspace().join("target/servers").join(edition), LINGER)
    }

    /// Finds the servers that are shared by means of the files in `folder`, or starts them. They end when they had no
    /// user for the time of `linger`.
    ///
    /// # Errors
    /// If they could not be started, or are not ready within 5 minutes.
    pub fn find_in(folder: &Path, linger: Duration) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::io(format!("make {}", folder.display())))?;
        let deadline = Instant::now() + START;
        let user = open(&folder.join("users"))?;
        // The program locks it exclusively only to end.
        until(deadline, folder, || granted(user.try_lock_shared()).map(|granted| granted.then_some(())))?;
        let mut program = None;
        let addresses = until(deadline, folder, || match &mut program {
            Some(program) => started(folder, program),
            None => take_turn(folder, linger, &mut program),
        })?;
        Ok(Self { addresses, _user: user, _program: program })
    }

    /// The address under the name of an environment variable, such as [`REDIS_URL`](crate::REDIS_URL). Empty if there
    /// is none of that name.
    pub fn url(&self, variable: &str) -> &str {
        let named = self.addresses.lines().filter_map(|line| line.split_once('='));
        named.filter(|(name, _)| *name == variable).map(|(_, url)| url).next().unwrap_or_default()
    }
}

/// Runs the servers until they had no user for the time of `linger`: the main function of the program.
pub fn serve(folder: &Path, linger: Duration) -> Result<()> {
    let users = open(&folder.join("users"))?;
    let servers = Servers::start()?;
    let file = addresses(folder);
    let text = servers.environment().map(|(name, url)| format!("{name}={url}\n")).concat();
    // Renamed, so that it is complete as soon as it exists.
    let unfinished = folder.join("addresses.new");
    let written = fs::write(&unfinished, &text).and_then(|()| fs::rename(&unfinished, &file));
    written.map_err(Error::io(format!("write {}", file.display())))?;
    let mut used = Instant::now();
    loop {
        if !granted(users.try_lock())? {
            used = Instant::now();
        } else if used.elapsed() < linger {
            users.unlock().map_err(Error::io("unlock a file below target/servers"))?;
        } else {
            break;
        }
        thread::sleep(POLL);
    }
    // The lock on `users` is held until the servers have ended: processes that start now wait, and start others. If
    // `target` was removed meanwhile, the file may be another program's.
    if read(&file)?.is_some_and(|there| there == text) {
        fs::remove_file(&file).map_err(Error::io(format!("remove {}", file.display())))?;
    }
    drop(servers);
    Ok(())
}

/// Returns the addresses if the program runs and is ready. Starts the program if it does not run.
fn take_turn(folder: &Path, linger: Duration, program: &mut Option<Child>) -> Result<Option<String>> {
    let turn = open(&folder.join("turn"))?;
    if !granted(turn.try_lock())? {
        return Ok(None);
    }
    let running = open(&folder.join("running"))?;
    if !granted(running.try_lock())? {
        return read(&addresses(folder));
    }
    // Left by a program that was killed.
    match fs::remove_file(addresses(folder)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::io(format!("remove {}", addresses(folder).display()))(error));
        }
        _ => {}
    }
    *program = Some(start(folder, linger, running)?);
    Ok(None)
}

/// Builds the program and runs it, in a process group of its own: ctrl-C is for the tests.
fn start(folder: &Path, linger: Duration, running: File) -> Result<Child> {
    crate::say("starting the servers that the tests share");
    let path = log(folder);
    let log = File::create(&path).map_err(Error::io(format!("write {}", path.display())))?;
    let errors = log.try_clone().map_err(Error::io(format!("write {}", path.display())))?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Command::new(cargo)
        .args(["run", "--package", env!("CARGO_PKG_NAME"), "--"])
        .arg(folder)
        .arg(linger.as_millis().to_string())
        .current_dir(workspace())
        .stdin(running)
        .stdout(log)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(Error::io("run cargo"))
}

/// Returns the addresses if the program, which this process has started, is ready.
fn started(folder: &Path, program: &mut Child) -> Result<Option<String>> {
    // Checked first, so that its last output is read.
    let ended = program.try_wait().map_err(Error::io(format!("look after {PROGRAM}")))?;
    match (read(&addresses(folder))?, ended) {
        (None, Some(status)) => {
            Err(Error::Ended { server: PROGRAM.to_owned(), status: status.to_string(), log: end_of_log(folder) })
        }
        (addresses, _) => Ok(addresses),
    }
}

/// Asks repeatedly until there is an answer.
fn until<T>(deadline: Instant, folder: &Path, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(Error::NotReady { server: PROGRAM.to_owned(), within: START, log: end_of_log(folder) });
        }
        thread::sleep(POLL);
    }
}

fn open(path: &Path) -> Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    file.map_err(Error::io(format!("open {}", path.display())))
}

/// Whether a lock was granted, and not refused because another process has it.
fn granted(lock: std::result::Result<(), TryLockError>) -> Result<bool> {
    match lock {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(Error::io("lock a file below target/servers")(error)),
    }
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format!("read {}", path.display()))(error)),
    }
}

fn end_of_log(folder: &Path) -> String {
    last_lines(&fs::read_to_string(log(folder)).unwrap_or_default())
}

fn addresses(folder: &Path) -> PathBuf {
    folder.join("addresses")
}

fn log(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
