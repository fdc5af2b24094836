//! A demo that runs, and its end.

use std::process::Stdio;
use std::time::Instant;

use redstream_chromium::{BOUND, Chromium};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

pub(crate) struct Demo {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    pub(crate) url: String,
}

impl Demo {
    /// Few cities, with every default.
    pub(crate) async fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        command.args(["--open", "--no-browser", "--limit", "1000"]).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(BOUND, output.next_line()).await.expect("it prints its address").unwrap().unwrap();
        let url = line.split(' ').next().unwrap().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{line}");
        Self { child, output, url }
    }

    /// Sends what ctrl-C sends, and waits for the end. Returns what it printed last.
    pub(crate) async fn interrupt(mut self) -> String {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
        let status = timeout(BOUND, self.child.wait()).await.expect("it ends").unwrap();
        assert!(status.success(), "{status}");
        self.output.next_line().await.unwrap().unwrap()
    }
}

/// The process ids of the workers that the page shows.
pub(crate) async fn workers(chromium: &Chromium) -> Vec<String> {
    let ids = "[...document.querySelectorAll('#workers li')].map((one) => one.innerText.match(/process (\\d+)/)[1])";
    chromium.js(ids).await
}

/// Waits until there is no process of this id.
pub(crate) async fn gone(id: &str) {
    let begun = Instant::now();
    let exists = async || {
        let mut ask = Command::new("kill");
        ask.args(["-0", id]).stderr(Stdio::null()).status().await.unwrap().success()
    };
    while exists().await {
        assert!(begun.elapsed() < BOUND, "process {id} is there");
        sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Waits until the log of the page has this text.
pub(crate) async fn log_says(chromium: &Chromium, text: &str) {
    chromium.until(&format!("document.querySelector('#log').innerText.includes({text:?})")).await;
}

/// Types into a field.
pub(crate) async fn enter(chromium: &Chromium, selector: &str, text: &str) {
    let set = format!(
        "{{ const field = document.querySelector({selector:?});
            field.value = {text:?};
            field.dispatchEvent(new Event('input')); }}"
    );
    chromium.js::<()>(&format!("void (() => {set})()")).await;
}

/// Waits until the first city that is found has this text.
pub(crate) async fn first_city_has(chromium: &Chromium, text: &str) {
    chromium.until(&format!("document.querySelector('#cities li')?.innerText.includes({text:?})")).await;
}

/// Waits until all cities are in the index, and nothing else is going on.
pub(crate) async fn settled(chromium: &Chromium) {
    chromium
        .until(
            "document.querySelector('#tiles').innerText.replaceAll('\\n', ' ').includes('1,000 documents in tantivy')",
        )
        .await;
    chromium.until("document.querySelectorAll('#workers [data-state=leads]').length === 1").await;
    chromium.until("document.querySelectorAll('#workers [data-state=standby]').length === 1").await;
    chromium.until("document.querySelector('#busy').textContent === ''").await;
}
