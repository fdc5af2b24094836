//! The README's quickstart, pasted into an empty folder: it must run unchanged, and show its change.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use redstream_servers::Redis;

/// How long the running program may take for one step.
const SOON: Duration = Duration::from_secs(60);

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The first block of a language after the heading of the quickstart.
fn block<'a>(readme: &'a str, language: &str) -> &'a str {
    let (_, section) = readme.split_once("\n## Quickstart\n").expect("the README has a quickstart");
    let (_, block) = section.split_once(&format!("```{language}")).expect("the quickstart has the block");
    let (_, block) = block.split_once('\n').unwrap();
    block.split_once("\n```").unwrap().0
}

/// The package after `cargo new` and two pastes; our crates are taken from this workspace, since they are not published
/// yet.
fn paste(folder: &Path) {
    let root = workspace();
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let dependencies = block(&readme, "toml");
    let ours = |name: &str, path: &str| format!("{name} = {{ path = \"{}\" }}\n", root.join(path).display());
    let manifest = [
        "[package]\nname = \"cities\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n",
        dependencies,
        "\n\n[patch.crates-io]\n",
        &ours("redstream-core", "redstream-core"),
        &ours("redstream-seaorm", "redstream-seaorm"),
        &ours("redstream-seaorm-macros", "redstream-seaorm/macros"),
    ];
    std::fs::write(folder.join("Cargo.toml"), manifest.concat()).unwrap();
    std::fs::create_dir(folder.join("src")).unwrap();
    std::fs::write(folder.join("src/main.rs"), block(&readme, "rust")).unwrap();
    // The versions that everything else is tested with.
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
}

fn build(folder: &Path) -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("quickstart");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet"]).current_dir(folder);
    build.env("CARGO_TARGET_DIR", &target).env("CARGO_PROFILE_DEV_DEBUG", "false");
    let output = build.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("debug/cities")
}

/// Killed when the test ends, in any case.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_quickstart_runs_as_it_stands_shows_its_change_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    paste(folder.path());
    let program = build(folder.path());
    let redis = Redis::start().unwrap();
    let mut cities = Command::new(program);
    cities.current_dir(folder.path()).env("REDIS_URL", redis.url()).stdout(Stdio::piped());
    let mut running = Running(cities.spawn().unwrap());

    let (said, lines) = mpsc::channel();
    let stdout = BufReader::new(running.0.stdout.take().unwrap());
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
    let begun = Instant::now();
    loop {
        let line = lines.recv_timeout(SOON.saturating_sub(begun.elapsed())).expect("the change is shown");
        if line.starts_with("1 changed: ") {
            break;
        }
    }

    // As Kubernetes, systemd and Docker stop a process.
    let pid = running.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let begun = Instant::now();
    // Its output ends when it ends.
    while lines.recv_timeout(SOON.saturating_sub(begun.elapsed())) != Err(RecvTimeoutError::Disconnected) {
        assert!(begun.elapsed() < SOON, "it does not stop");
    }
    let status = running.0.wait().unwrap();
    assert!(status.success(), "{status}");
}
