//! `redstream top` on a terminal.

mod support;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redstream_core::Start;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use self::support::{Shop, add, eventually};

/// A pseudo-terminal: what a program prints on it is read, and keys are pressed.
struct Terminal {
    keys: File,
    /// The side of the program. Held, so that it does not end with the program.
    program: File,
    printed: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn open() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there is a pseudo-terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it is ours");
        let path = ptsname(&master, Vec::new()).expect("it has a name");
        let program = rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("it can be opened");
        let size = Winsize { ws_row: 30, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&program, size).expect("it is a terminal");
        let keys = File::from(master);
        let (mut screen, printed) = (keys.try_clone().expect("there is room"), Arc::new(Mutex::new(Vec::new())));
        let seen = printed.clone();
        // Ends with the process: a terminal that is read tells of no end.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut bytes) {
                seen.lock().expect("no one panics").extend_from_slice(&bytes[..length]);
            }
        });
        Self { keys, program: File::from(program), printed }
    }

    fn run(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Child {
        let side = || self.program.try_clone().expect("there is room");
        let mut command = Command::new(env!("CARGO_BIN_EXE_redstream"));
        command.args(arguments).envs(environment.iter().copied()).env("TERM", "xterm-256color");
        command.stdin(side()).stdout(side()).stderr(side()).spawn().expect("the program can be run")
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal is there");
    }

    fn has(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.printed.lock().expect("no one panics")).contains(text)
    }

    fn modes(&self) -> LocalModes {
        tcgetattr(&self.program).expect("it is a terminal").local_modes
    }
}

#[tokio::test]
async fn top_shows_the_streams_reacts_to_keys_and_restores_the_terminal() {
    let shop = Shop::open().await;
    shop.stream("books").register("search", Start::Earliest).await.unwrap();
    add(&shop, "books", 0..1234).await;
    let mut terminal = Terminal::open();
    let before = terminal.modes();
    assert!(before.contains(LocalModes::ICANON | LocalModes::ECHO));
    let mut top = terminal.run(&shop.environment(), &["top", "--every", "100ms"]);
    eventually(async || terminal.has("books") && terminal.has("search") && terminal.has("1,234")).await;
    assert!(!terminal.modes().intersects(LocalModes::ICANON | LocalModes::ECHO), "keys come one by one");

    assert!(!terminal.has("choose a consumer"));
    terminal.press("?");
    eventually(async || terminal.has("choose a consumer")).await;
    terminal.press("?p");
    eventually(async || shop.stream("books").is_paused("search").await.unwrap()).await;

    terminal.press("q");
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = top.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(status.code(), Some(0));
    assert_eq!(terminal.modes(), before, "lines and echo are back");
    // The screen of before, and the cursor.
    eventually(async || terminal.has("\x1b[?1049l") && terminal.has("\x1b[?25h")).await;
}

#[tokio::test]
async fn top_without_a_terminal_says_what_to_use() {
    let shop = Shop::open().await;
    let refused = shop.run(&["top"]);
    assert!(refused.code == 2 && refused.stderr.contains("redstream status"), "{refused:?}");
}
