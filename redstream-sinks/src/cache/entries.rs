//! The commands and scripts on entries. Each touches one key, or keys of one server.

use std::sync::LazyLock;

use redis::{Cmd, Script};
use redstream_seaorm::RedisClient;
use redstream_seaorm::core::Error;

macro_rules! script {
    ($name:ident, $file:literal) => {
        static $name: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!(concat!("lua/", $file))));
    };
}

script!(WRITE, "write.lua");
script!(LEASE, "lease.lua");
script!(FILL, "fill.lua");

/// What the sink wants an entry to become.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub(crate) entry: String,
    /// `None`: a tombstone.
    pub(crate) document: Option<String>,
    pub(crate) ttl: u64,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Written,
    Superseded(u64),
    WrongType,
}

/// What an entry without a document has for a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// Another one has filled it meanwhile.
    Document(String),
    /// The right to fill it.
    Lease(String),
}

pub(crate) async fn evict(client: &RedisClient, entries: &[String]) -> Result<(), Error> {
    let mut unlink = redis::cmd("UNLINK");
    unlink.arg(entries);
    client.command::<()>("evict entries of a cache", &unlink).await
}

pub(crate) async fn write(client: &RedisClient, version: u64, updates: &[Update]) -> Result<Vec<Verdict>, Error> {
    let mut script = WRITE.prepare_invoke();
    script.arg(version);
    for Update { entry, document, ttl } in updates {
        script.key(entry).arg(*ttl).arg(document.as_deref().unwrap_or_default());
    }
    let answers: Vec<String> = client.script("write entries of a cache", &script).await?;
    let verdict = |answer: String| match answer.as_str() {
        "" => Verdict::Written,
        "WRONGTYPE" => Verdict::WrongType,
        version => Verdict::Superseded(version.parse().unwrap_or(u64::MAX)),
    };
    Ok(answers.into_iter().map(verdict).collect())
}

pub(crate) async fn read(client: &RedisClient, entry: &str) -> Result<Option<String>, Error> {
    client.command("read an entry of a cache", &read_command(entry)).await
}

fn read_command(entry: &str) -> Cmd {
    let mut read = redis::cmd("HGET");
    read.arg(entry).arg("document");
    read
}

/// The documents of entries that are on one server, in one round trip.
pub(crate) async fn read_all(client: &RedisClient, entries: &[String]) -> Result<Vec<Option<String>>, Error> {
    let mut commands = redis::Pipeline::with_capacity(entries.len());
    for entry in entries {
        commands.add_command(read_command(entry));
    }
    let answers = client.pipeline("read entries of a cache", &commands).await?;
    let read = |answer| redis::from_redis_value(answer);
    answers.into_iter().map(read).collect::<Result<_, _>>().map_err(|source: redis::ParsingError| Error::Redis {
        attempt: "read entries of a cache".to_owned(),
        source: source.into(),
    })
}

/// `unreadable` is a document that counts as none.
pub(crate) async fn lease(
    client: &RedisClient,
    entry: &str,
    lease: &str,
    millis: u64,
    unreadable: &str,
) -> Result<Miss, Error> {
    let mut script = LEASE.key(entry);
    script.arg(lease).arg(millis).arg(unreadable);
    let (document, lease): (String, String) = client.script("lease an entry of a cache", &script).await?;
    Ok(if document.is_empty() { Miss::Lease(lease) } else { Miss::Document(document) })
}

/// Whether the lease was still that of the entry.
pub(crate) async fn fill(
    client: &RedisClient,
    entry: &str,
    lease: &str,
    document: &str,
    ttl: u64,
) -> Result<bool, Error> {
    let mut script = FILL.key(entry);
    script.arg(lease).arg(document).arg(ttl);
    client.script("fill an entry of a cache", &script).await
}
