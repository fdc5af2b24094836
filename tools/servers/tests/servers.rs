//! That private servers start, and that they end with their owner, however it ends.

use redstream_servers::{Error, Redis, RedisOptions};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Set in the process that acts as the owner, see [`owner`].
const OWNER: &str = "REDSTREAM_SERVERS_TEST_OWNER";

#[test]
fn a_server_and_its_directory_go_with_an_owner_that_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", "owner", "--nocapture"])
        .env(OWNER, "1")
        .env("TMPDIR", directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(owner.stdout.take().unwrap());
    let port = said.lines().find_map(|line| line.unwrap().strip_prefix("port ")?.parse::<u16>().ok()).unwrap();
    assert!(listens(port));

    owner.kill().unwrap();
    owner.wait().unwrap();

    eventually("the server's end", || !listens(port));
    // The reservations of ports are empty files, which stay.
    let is_of_a_server = |entry: fs::DirEntry| !entry.file_name().to_string_lossy().starts_with("redstream-ports-");
    let of_servers = || fs::read_dir(directory.path()).unwrap().map(Result::unwrap).any(is_of_a_server);
    eventually("an empty directory", || !of_servers());
}

/// Not a test of its own, but the owner that another test starts and kills.
#[test]
fn owner() {
    if env::var_os(OWNER).is_none() {
        return;
    }
    let redis = Redis::start().unwrap();
    println!("\nport {}", redis.port());
    thread::park_timeout(Duration::from_mins(1));
}

#[test]
fn a_server_ends_when_it_is_dropped() {
    let redis = Redis::start().unwrap();
    let port = redis.port();
    assert!(listens(port));
    drop(redis);
    assert!(!listens(port));
}

#[test]
fn a_server_that_cannot_start_says_the_end_of_its_log() {
    let error = RedisOptions::new().arg("--no-such-option").arg("1").start().unwrap_err();
    assert!(matches!(&error, Error::Ended { log, .. } if log.contains("no-such-option")), "{error}");
}

#[test]
fn a_killed_server_is_not_there_to_be_paused() {
    let mut redis = Redis::start().unwrap();
    redis.kill().unwrap();
    assert!(matches!(redis.pause(), Err(Error::NotRunning { .. })));
    redis.kill().unwrap();
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::park_timeout(Duration::from_millis(10));
    }
}
