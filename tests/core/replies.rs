//! Every method that reads a reply, with a server that sends arbitrary replies: the result is an error or a value,
//! within a bound, and no more memory is used than was sent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use redstream_core::{ConnectOptions, MessageId, Redstream, Start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::recorder::Recorder;

/// Longer than any one call may take, on a busy machine.
const BOUND: Duration = Duration::from_secs(20);

/// How many sets of false replies every method gets.
const ROUNDS: usize = 150;

/// After connecting, answers every command with the next of a few false replies, in a cycle.
struct Liar {
    url: String,
    lies: Arc<Mutex<Vec<String>>>,
    told: Arc<AtomicUsize>,
}

impl Liar {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/", listener.local_addr().unwrap());
        let lies: Arc<Mutex<Vec<String>>> = Arc::default();
        let told: Arc<AtomicUsize> = Arc::default();
        let liar = Self { url, lies: lies.clone(), told: told.clone() };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(lie_to(socket, lies.clone(), told.clone()));
            }
        });
        liar
    }

    fn answer(&self, lies: Vec<String>) {
        *self.lies.lock().unwrap() = lies;
    }
}

/// Sends correct replies to the commands of connecting: `CLIENT SETINFO`, `CONFIG`, `INFO`, and the script that is
/// tried.
async fn lie_to(mut socket: TcpStream, lies: Arc<Mutex<Vec<String>>>, told: Arc<AtomicUsize>) -> std::io::Result<()> {
    const INFO: &str = "redis_version:7.0.0\r\nrun_id:1\r\naof_enabled:1\r\n";
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = socket.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let sent = String::from_utf8_lossy(&buffer[..read]).to_uppercase();
        let info = format!("${}\r\n{INFO}\r\n", INFO.len()).into_bytes();
        let mut answer = Vec::new();
        // Several commands can arrive at once.
        let parts = sent.split('*').filter(|part| part.starts_with(|first: char| first.is_ascii_digit()));
        for command in parts {
            let known = if command.contains("SETINFO") {
                Some(b"+OK\r\n".to_vec())
            } else if command.contains("CONFIG") {
                Some(b"*0\r\n".to_vec())
            } else if command.contains("\nEVAL\r") {
                Some(b"*2\r\n$9\r\nredstream\r\n$5\r\nknown\r\n".to_vec())
            } else if command.contains("\nINFO") {
                Some(info.clone())
            } else {
                None
            };
            answer.extend(known.unwrap_or_else(|| {
                let (number, lies) = (told.fetch_add(1, Ordering::Relaxed), lies.lock().unwrap());
                lies[number % lies.len()].clone().into_bytes()
            }));
        }
        socket.write_all(&answer).await?;
    }
}

/// Every method that reads a reply. None may hang or panic; their results do not matter.
async fn ask_everything(redstream: &Redstream) {
    let products = redstream.stream("products").unwrap();
    let bounded = tokio::time::timeout(BOUND, async {
        let _ = redstream.producer().queue(products.name(), &1).await;
        let _ = products.last_id().await;
        let _ = products.delay_len().await;
        let _ = products.consumers().await;
        let _ = products.published_delay().await;
        let _ = products.is_paused("search").await;
        let _ = products.rewind("search", Start::Earliest).await;
        let _ = products.offsets().get("search").await;
        let letters = products.dead_letters("search").unwrap();
        let _ = letters.count().await;
        let _ = letters.list(MessageId::MIN, 10).await;
        let _ = products.lock("search", Duration::from_secs(5)).unwrap().try_acquire().await;
        let _ = products.consumer("search", Recorder::default()).run_once().await;
        let _ = products.delayer(Duration::from_secs(300)).run_once().await;
        let _ = products.trimmer().run_once().await;
    });
    bounded.await.expect("each call ends within its bound");
}

async fn connected(liar: &Liar) -> Redstream {
    let options = ConnectOptions::new(&liar.url)
        .response_timeout(Duration::from_millis(100))
        .give_up_after(Duration::from_millis(200));
    // A busy machine may need longer than that once.
    for _ in 0..50 {
        if let Ok(redstream) = Redstream::connect(options.clone()).await {
            return redstream;
        }
    }
    panic!("a server that tells the truth to who connects lets him in");
}

async fn ask_one_that_answers(lie: String) {
    let liar = Liar::start().await;
    let redstream = connected(&liar).await;
    liar.answer(vec![lie]);
    ask_everything(&redstream).await;
}

#[tokio::test]
async fn lengths_that_no_server_means_are_waited_for_in_bounded_memory() {
    let heads = [
        "*2147483647",
        "*9223372036854775807",
        "$9999999999",
        "$9223372036854775807",
        "%9223372036854775807",
        "%-1",
        "|4611686018427387903",
        "~2147483647",
        ">2147483647",
    ];
    let before = resident();
    let lies = heads.iter().flat_map(|head| [format!("{head}\r\n"), format!("*1\r\n{head}\r\n")]);
    futures_util::future::join_all(lies.map(ask_one_that_answers)).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 1 << 30, "{} MiB more", grown >> 20);
}

/// The memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn a_reply_nested_without_end_is_an_error() {
    ask_one_that_answers("*1\r\n".repeat(5000)).await;
}

#[tokio::test]
async fn replies_of_any_shape_are_values_or_errors() {
    let liar = Liar::start().await;
    let redstream = connected(&liar).await;
    let mut runner = TestRunner::default();
    // So that some are sent to a client that believes to hold a lock.
    let acquired = Just("*4\r\n$8\r\nacquired\r\n$0\r\n\r\n$3\r\n9-9\r\n$1\r\n0\r\n".to_owned());
    let lies = prop::collection::vec(prop_oneof![acquired, Just(":1\r\n".to_owned()), replies()], 1..5);
    for _ in 0..ROUNDS {
        liar.answer(lies.new_tree(&mut runner).unwrap().current());
        ask_everything(&redstream).await;
    }
    assert!(liar.told.load(Ordering::Relaxed) > ROUNDS * 10, "the verbs were lied to");
}

/// Codes of our scripts in wrong combinations, and values of other types.
fn replies() -> impl Strategy<Value = String> {
    let words = vec![
        "acquired",
        "held",
        "paused",
        "stored",
        "not newer",
        "lost",
        "forgotten",
        "touched",
        "moved",
        "trimmed",
        "registry",
        "waiting",
        "beyond",
        "renewed",
        "",
        "1-1",
        "x",
        "-1",
        "99999999999999999999",
        "{",
        "payload",
    ];
    let word = prop::sample::select(words).prop_map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let other = prop::sample::select(vec![
        ":1\r\n",
        ":-9223372036854775808\r\n",
        "$-1\r\n",
        "*-1\r\n",
        "-ERR no\r\n",
        "+OK\r\n",
    ]);
    let leaf = prop_oneof![3 => word, 1 => other.prop_map(str::to_owned)];
    leaf.prop_recursive(3, 16, 5, |inner| {
        prop::collection::vec(inner, 0..5).prop_map(|parts| format!("*{}\r\n{}", parts.len(), parts.concat()))
    })
}
