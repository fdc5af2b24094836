//! That processes share servers that were not started for them, and that the servers end after the last of them.

use redstream_servers::{MARIADB_URL, POSTGRES_URL, REDIS_URL, SharedServers};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Set in a process that uses shared servers, see [`user`]: the folder through which it shares them.
const FOLDER: &str = "REDSTREAM_SERVERS_TEST_FOLDER";

const LINGER: Duration = Duration::from_secs(2);

#[test]
fn processes_share_servers_that_end_after_the_last_of_them_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    // As left by a killed program.
    fs::write(folder.path().join("addresses"), format!("{REDIS_URL}=redis://127.0.0.1:1/\n")).unwrap();
    let [mut first, mut second] = [(); 2].map(|()| User::start(folder.path()));
    let ports = first.ports();
    assert_eq!(ports.len(), 3);
    assert_eq!(second.ports(), ports, "they started at the same time");
    assert!(ports.iter().all(|port| listens(*port)), "{ports:?}");

    first.kill();
    second.kill();
    let mut third = User::start(folder.path());
    assert_eq!(third.ports(), ports, "the servers outlive the process that started them");
    thread::sleep(LINGER * 2);
    assert!(ports.iter().all(|port| listens(*port)), "they run while they have a user: {ports:?}");

    third.kill();
    let deadline = Instant::now() + Duration::from_secs(60);
    while ports.iter().any(|port| listens(*port)) {
        assert!(Instant::now() < deadline, "the servers do not end: {ports:?}");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!folder.path().join("addresses").exists());
}

/// A process that uses the servers until it is killed.
struct User {
    process: Child,
}

impl User {
    fn start(folder: &Path) -> Self {
        let mut process = Command::new(env::current_exe().unwrap());
        process.args(["--exact", "user", "--nocapture"]).env(FOLDER, folder).stdout(Stdio::piped());
        Self { process: process.spawn().unwrap() }
    }

    /// Waits until it has the servers, and returns their ports.
    fn ports(&mut self) -> Vec<u16> {
        let lines = BufReader::new(self.process.stdout.take().unwrap()).lines().map(Result::unwrap);
        lines.filter_map(|line| line.strip_prefix("port ")?.parse().ok()).take(3).collect()
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Not a test of its own, but a process that the other test starts and kills.
#[test]
fn user() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let servers = SharedServers::find_in(Path::new(&folder), LINGER).unwrap();
    println!();
    for variable in [REDIS_URL, POSTGRES_URL, MARIADB_URL] {
        let (_, port) = servers.url(variable).rsplit_once(':').unwrap();
        println!("port {}", port.split('/').next().unwrap());
    }
    thread::park_timeout(Duration::from_mins(5));
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}
