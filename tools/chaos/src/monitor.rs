//! The commands that Redis executes: its MONITOR shows every command, those of scripts too.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use redstream_seaorm::MessageId;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::connect::connected;
use crate::item::{GHOSTS, STREAM};
use crate::keys::number_in;
use crate::log::Log;
use crate::place::Place;
use crate::verdict::{Breach, Breaches};

pub(crate) struct Monitor {
    port: u16,
    place: Place,
    seen: Mutex<Seen>,
    breaches: Arc<Breaches>,
    log: Arc<Log>,
}

/// What is known of the keys, from the commands that wrote them.
#[derive(Default)]
struct Seen {
    /// First key and first argument of the script that runs: a lock, and the client that claims to own it.
    script: Option<(String, String)>,
    /// Token by lock.
    owners: HashMap<String, String>,
    offsets: HashMap<String, MessageId>,
    /// The last version by key.
    versions: HashMap<String, u64>,
    /// All of them.
    issued: HashSet<(String, u64)>,
    consumers: HashSet<String>,
}

impl Monitor {
    pub(crate) fn new(port: u16, place: Place, breaches: Arc<Breaches>, log: Arc<Log>) -> Arc<Self> {
        Arc::new(Self { port, place, seen: Mutex::default(), breaches, log })
    }

    /// Returns when Redis shows all later commands.
    pub(crate) async fn attach(self: &Arc<Self>) -> std::io::Result<()> {
        let mut redis = BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await?);
        redis.get_mut().write_all(b"MONITOR\r\n").await?;
        let mut line = Vec::new();
        redis.read_until(b'\n', &mut line).await?;
        let monitor = self.clone();
        // Ends with the connection, and that with Redis.
        tokio::spawn(async move {
            loop {
                line.clear();
                match redis.read_until(b'\n', &mut line).await {
                    Ok(read) if read > 0 => monitor.see(&String::from_utf8_lossy(&line)),
                    _ => return,
                }
            }
        });
        Ok(())
    }

    /// Reads what Redis executed and stored, but did not show before it was killed. No other client may be active.
    pub(crate) async fn catch_up(&self) -> anyhow::Result<()> {
        let mut redis = connected(self.port).await?;
        let keys: Vec<String> = redis::cmd("KEYS").arg("redstream:*").query_async(&mut redis).await?;
        for key in keys {
            let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut redis).await?;
            match kind.as_str() {
                "string" => {
                    let stored: Option<String> = redis::cmd("GET").arg(&key).query_async(&mut redis).await?;
                    if let Some(value) = stored {
                        self.take_up(&self.place.plain(&key), &value);
                    }
                }
                "hash" => {
                    let names: Vec<String> = redis::cmd("HKEYS").arg(&key).query_async(&mut redis).await?;
                    if self.place.plain(&key) == format!("redstream:consumers:{STREAM}") {
                        self.keep_consumers(&names);
                    }
                    for name in names {
                        self.take_up(&self.place.plain(&key), &name);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn take_up(&self, key: &str, value: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.script = None;
        let is_known = seen.versions.get(key).is_some_and(|version| version.to_string() == value);
        let found = match key {
            lock if lock.starts_with("redstream:lock:") => seen.by_script(&["SET", key, value, "PX", ""]),
            registry if registry.starts_with("redstream:consumers:") => seen.by_script(&["HSET", key, value, ""]),
            _ if is_known => None,
            _ => seen.by_script(&["SET", key, value]),
        };
        if let Some((breach, what)) = found {
            self.breaches.add(breach, format!("after Redis was killed: {what}"));
        }
    }

    /// Forgets the consumers that are not among these.
    fn keep_consumers(&self, registered: &[String]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<String> = seen.consumers.iter().filter(|name| !registered.contains(name)).cloned().collect();
        for name in gone {
            seen.forget(&name);
        }
    }

    /// Whether that version was issued to the consumer.
    pub(crate) fn issued(&self, consumer: &str, version: u64) -> bool {
        let key = format!("redstream:version:{STREAM}:{consumer}");
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).issued.contains(&(key, version))
    }

    /// The offset of each consumer.
    pub(crate) fn offsets(&self) -> HashMap<String, MessageId> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).offsets.clone()
    }

    fn see(&self, line: &str) {
        let Some((by_script, arguments)) = parse(&self.place.plain(line)) else { return };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(breach) = if by_script { seen.by_script(&arguments) } else { seen.by_client(&arguments) } {
            self.log.add("redis", line.trim());
            self.breaches.add(breach.0, breach.1);
        }
    }
}

type Found = Option<(Breach, String)>;

impl Seen {
    fn by_client(&mut self, arguments: &[&str]) -> Found {
        self.script = None;
        match arguments {
            ["EVALSHA" | "EVAL", _, keys, rest @ ..] => {
                let keys: usize = keys.parse().ok()?;
                self.script = Some((rest.first()?.to_string(), rest.get(keys).copied().unwrap_or("").to_owned()));
                None
            }
            ["XADD", key, "*", "payload" | "payloads", payloads] if *key == main_stream() => {
                let ghost = payloads.lines().map(number_in).find(|number| GHOSTS.contains(number))?;
                Some((Breach::Announced, format!("a main message of key {ghost}, which is only ever rolled back")))
            }
            _ => None,
        }
    }

    fn by_script(&mut self, arguments: &[&str]) -> Found {
        let (lock, token) = self.script.clone().unwrap_or_default();
        match arguments {
            ["SET", key, token, "PX", _] if key.starts_with("redstream:lock:") => {
                self.owners.insert((*key).to_owned(), (*token).to_owned());
                None
            }
            ["DEL", key, ..] if key.starts_with("redstream:lock:") && !key.ends_with(".notify") => {
                let owner = self.owners.remove(*key)?;
                (owner != token).then(|| (Breach::Fence, format!("{key} of {owner} was released by {token}")))
            }
            ["SET", key, id] if key.starts_with("redstream:offset:") => {
                let id: MessageId = id.parse().ok()?;
                let before = self.offsets.insert((*key).to_owned(), id).unwrap_or(MessageId::MIN);
                let owner = self.owners.get(&lock);
                if id < before {
                    Some((Breach::OffsetBack, format!("{key} moved back from {before} to {id}")))
                } else if lock.starts_with("redstream:lock:") && owner != Some(&token) {
                    Some((Breach::Fence, format!("{key} was stored by {token}, and {owner:?} owns {lock}")))
                } else {
                    None
                }
            }
            ["SET", key, version] if key.starts_with("redstream:version:") => {
                let version = version.parse().ok()?;
                self.issued.insert(((*key).to_owned(), version));
                let before = self.versions.insert((*key).to_owned(), version)?;
                (version <= before).then(|| (Breach::Reordered, format!("{key} went back from {before} to {version}")))
            }
            ["HSET", key, name, _] if *key == format!("redstream:consumers:{STREAM}") => {
                self.consumers.insert((*name).to_owned());
                None
            }
            ["HDEL", key, name] if *key == format!("redstream:consumers:{STREAM}") => {
                self.forget(name);
                None
            }
            // A new consumer's place, unless it has one.
            ["SET", key, id, "NX"] if key.starts_with("redstream:offset:") => {
                let id: MessageId = id.parse().ok()?;
                self.offsets.entry((*key).to_owned()).or_insert(id);
                None
            }
            ["XTRIM", key, "MINID", "=", minid] if *key == main_stream() => {
                let minid: MessageId = minid.parse().ok()?;
                let unread = self.consumers.iter().find_map(|name| {
                    let offset = self.offsets.get(&format!("redstream:offset:{STREAM}:{name}"));
                    let read = offset.is_some_and(|offset| minid <= after(*offset));
                    (!read).then(|| format!("trimmed below {minid}, and {name} is at {offset:?}"))
                });
                unread.map(|unread| (Breach::TrimmedUnread, unread))
            }
            _ => None,
        }
    }

    /// The consumer is no longer registered.
    fn forget(&mut self, name: &str) {
        self.consumers.remove(name);
        self.offsets.remove(&format!("redstream:offset:{STREAM}:{name}"));
    }
}

fn main_stream() -> String {
    format!("redstream:stream:{STREAM}")
}

fn after(id: MessageId) -> MessageId {
    id.seq.checked_add(1).map_or(MessageId::new(id.ms.saturating_add(1), 0), |seq| MessageId::new(id.ms, seq))
}

/// Whether a script ran the command, and its words.
fn parse(line: &str) -> Option<(bool, Vec<String>)> {
    let (head, words) = line.split_once("] ")?;
    Some((head.ends_with(" lua"), unquote(words)))
}

fn unquote(text: &str) -> Vec<String> {
    let (mut words, mut word, mut inside) = (Vec::new(), String::new(), false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if inside => {
                words.push(std::mem::take(&mut word));
                inside = false;
            }
            '"' => inside = true,
            '\\' if inside => word.extend(letters.next().map(|letter| if letter == 'n' { '\n' } else { letter })),
            letter if inside => word.push(letter),
            _ => {}
        }
    }
    words
}
