//! The program, and a namespace of a test's own.
#![allow(dead_code, reason = "no test uses all of it")]

pub(crate) mod deployment;

use std::io::{BufRead as _, BufReader};
use std::ops::Range;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use redstream_core::{ConnectOptions, NewMessage, Payload, Redstream, Stream};
use serde_json::{Value, json};

/// What a run printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program; without standard input, as a script does.
pub(crate) fn run(environment: &[(&str, &str)], arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redstream"));
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    let output = command.output().expect("the program can be run");
    Run {
        code: output.status.code().expect("it was not killed"),
        stdout: String::from_utf8(output.stdout).expect("it prints text"),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A run that goes on; killed when the test ends, in any case.
pub(crate) struct Running(Child, BufReader<ChildStdout>);

impl Running {
    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.1.read_line(&mut line).expect("it prints text");
        line
    }

    /// Tells it to stop, as a service manager does. Returns its exit code.
    pub(crate) fn stop(mut self) -> i32 {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("there is kill").success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("it is a child") {
                return status.code().expect("it was not killed");
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A namespace on the shared Redis, which the program finds in its environment.
pub(crate) struct Shop {
    pub(crate) redstream: Redstream,
    url: String,
    namespace: String,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let start = || redstream_servers::shared_url(redstream_servers::REDIS_URL);
        let url = tokio::task::spawn_blocking(start).await.expect("it does not panic").expect("there is a Redis");
        let namespace = format!("test-{}", uuid::Uuid::new_v4().simple());
        let options = ConnectOptions::new(&url).namespace(&namespace);
        Self { redstream: Redstream::connect(options).await.expect("Redis answers"), url, namespace }
    }

    pub(crate) fn stream(&self, name: &str) -> Stream {
        self.redstream.stream(name).expect("the name is usable")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        run(&self.environment(), arguments)
    }

    /// Where the program finds it.
    pub(crate) fn environment(&self) -> [(&str, &str); 2] {
        [("REDIS_URL", &self.url), ("REDSTREAM_NAMESPACE", &self.namespace)]
    }

    /// Writes the offset of a consumer as the Ruby gem does, which registers none.
    pub(crate) async fn set_offset(&self, stream: &str, consumer: &str) {
        let key = format!("{}:redstream:offset:{stream}:{consumer}", self.namespace);
        let mut raw = deployment::raw(&self.url).await;
        redis::cmd("SET").arg(key).arg("0-1").exec_async(&mut raw).await.expect("Redis answers");
    }

    /// Runs the program, which does not end by itself.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redstream"));
        command.args(arguments).env("REDIS_URL", &self.url).env("REDSTREAM_NAMESPACE", &self.namespace);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program can be run");
        let stdout = BufReader::new(child.stdout.take().expect("it has an output"));
        Running(child, stdout)
    }

    /// What it prints as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let run = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
    }
}

/// Queues messages with these ids.
pub(crate) async fn add(shop: &Shop, stream: &str, ids: Range<u64>) {
    let stream = shop.stream(stream);
    let payloads = Payload::encode_all(ids.map(|id| json!({ "id": id }))).expect("it is JSON");
    let messages: Vec<_> =
        payloads.into_iter().map(|payload| NewMessage::new(stream.name().clone(), payload)).collect();
    shop.redstream.producer().queue_all(&messages).await.expect("Redis answers");
}

/// Waits until the condition holds.
pub(crate) async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "the condition does not come to hold");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
