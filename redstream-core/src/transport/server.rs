//! The information that a server reports, and its capabilities.

pub(crate) mod durability;
pub(crate) mod nodes;

use redis::aio::ConnectionLike;
use redis::{Cmd, RedisError, RedisResult, Value};

use crate::error::{Error, Result, code, is_transient};

/// Empty if the user may not ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Server {
    version: String,
    /// New at each start of a server, so it distinguishes two servers at one address.
    pub(crate) run_id: String,
}

impl Server {
    /// Queries it. A user without the right gets an empty answer, not an error.
    pub(crate) async fn of(connection: &mut (impl ConnectionLike + Send)) -> RedisResult<Self> {
        unless_forbidden(redis::cmd("INFO").arg("server").query_async::<String>(connection).await)
            .map(|info| Self::from_info(&info))
    }

    pub(crate) fn from_info(info: &str) -> Self {
        let field = |name: &str| field(info, name).unwrap_or_default().to_owned();
        Self { version: field("redis_version"), run_id: field("run_id") }
    }

    /// Its name in errors.
    pub(crate) fn title(&self) -> String {
        if self.version.is_empty() { "of an unknown version".to_owned() } else { self.version.clone() }
    }
}

/// The probe that finds out whether a server is a Redis with the commands of 6.2. `XTRIM MINID`, without which nothing
/// can be trimmed, came with 6.2. The probe tries another command of 6.2, since that takes no key and changes nothing.
/// The version is not read: Valkey 9.1 says that it is Redis 7.2.4.
pub(crate) fn probe() -> Cmd {
    const PROBE: &str = "return {ARGV[1], redis.pcall('XAUTOCLAIM').err}";
    let mut eval = redis::cmd("EVAL");
    eval.arg(PROBE).arg(0).arg(SIGN);
    eval
}

/// Returned only by a server that ran the script.
const SIGN: &str = "redstream";

/// The result of the [`probe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has the required commands, or the user may not ask.
    Fit,
    /// It refused for now: while it loads, for example.
    NotYetKnown,
}

/// Errors if it is no Redis, or is too old.
pub(crate) fn verdict(answer: RedisResult<Value>, server: &Server, address: &str) -> Result<Verdict> {
    let answer = match answer.and_then(Value::extract_error) {
        Ok(answer) => answer,
        Err(error) if is_forbidden(&error) => return Ok(Verdict::Fit),
        Err(error) if is_transient(&error) || code(&error).is_some() => return Ok(Verdict::NotYetKnown),
        Err(source) => return Err(Error::Connect { address: address.to_owned(), source }),
    };
    let shown = || format!("{answer:?}").chars().take(64).collect();
    match redis::from_redis_value_ref::<(String, String)>(&answer) {
        Ok((sign, refusal)) if sign == SIGN && refusal.contains("nknown Redis command") => {
            Err(Error::UnsupportedServer { address: address.to_owned(), version: server.title() })
        }
        Ok((sign, _)) if sign == SIGN => Ok(Verdict::Fit),
        _ => Err(Error::NotRedis { address: address.to_owned(), attempt: "run a script".to_owned(), reply: shown() }),
    }
}

/// The answer, or an empty one if the user may not ask.
pub(crate) fn unless_forbidden<T: Default>(answer: RedisResult<T>) -> RedisResult<T> {
    match answer {
        Err(error) if is_forbidden(&error) => Ok(T::default()),
        answer => answer,
    }
}

fn is_forbidden(error: &RedisError) -> bool {
    error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoPerm)
}

/// A field of the answer to `INFO`.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}
