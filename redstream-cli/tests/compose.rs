//! `compose.yaml` starts a Redis of which `redstream doctor` finds nothing to say.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use redstream_core::{Batch, CancellationToken, HandlerError, NewMessage, Payload, Redstream, Supervisor};
use redstream_servers::RedisOptions;
use saphyr::{LoadableYamlNode as _, Yaml};

/// The arguments of `redis-server` there.
fn arguments() -> Vec<String> {
    let compose = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../compose.yaml")).unwrap();
    let compose = Yaml::load_from_str(&compose).expect("it is YAML");
    let command = compose[0]["services"]["redis"]["command"].as_sequence().expect("a list");
    let mut words = command.iter().map(|word| word.as_str().expect("a text").to_owned());
    assert_eq!(words.next().as_deref(), Some("redis-server"));
    words.collect()
}

fn doctor(url: &str) -> Output {
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_redstream"));
    doctor.arg("doctor").env("REDIS_URL", url).env_remove("REDSTREAM_NAMESPACE").stdin(Stdio::null());
    doctor.output().expect("the program can be run")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_finds_no_problem_of_the_redis_of_compose() {
    let start = || arguments().into_iter().fold(RedisOptions::new(), RedisOptions::arg).start().unwrap();
    let redis = tokio::task::spawn_blocking(start).await.unwrap();
    let redstream = Redstream::connect(redis.url()).await.unwrap();
    assert!(redstream.risks().is_empty(), "{:?}", redstream.risks());
    let books = redstream.stream("books").unwrap();
    let message = NewMessage::new(books.name().clone(), Payload::encode(&1).unwrap());
    redstream.producer().queue_all(&[message]).await.unwrap();
    let stop = CancellationToken::new();
    let workers = Supervisor::new()
        .with(books.consumer("search", async |_: Batch| Ok::<_, HandlerError>(())))
        .with(books.delayer(Duration::from_secs(300)))
        .with(books.trimmer());
    let working = tokio::spawn(workers.run_until(stop.clone().cancelled_owned()));
    let begun = Instant::now();
    loop {
        let url = redis.url();
        let output = tokio::task::spawn_blocking(move || doctor(&url)).await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            let is_problem = |line: &&str| ["error", "warning", "note"].iter().any(|word| line.starts_with(word));
            // Its cure costs that the server starts by itself after a crash of the machine: docs/redis.md.
            let known = |line: &str| line.contains("a crash of the machine cut");
            assert!(text.lines().filter(is_problem).all(known), "{text}");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{output:?}");
    }
    stop.cancel();
    working.await.unwrap().unwrap();
}
