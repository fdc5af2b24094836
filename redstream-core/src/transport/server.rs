//! What a server says of itself, and what it can do.

pub(crate) mod durability;
pub(crate) mod nodes;

use redis::aio::ConnectionLike;
use redis::{Cmd, RedisError, RedisResult, Value};

use crate::error::{Error, Result, code, is_transient};

/// Empty if the user may not ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Server {
    version: String,
    /// New at each start of a server, so it tells two servers at one address apart.
    pub(crate) run_id: String,
}

impl Server {
    /// Asks. A user who may not gets an empty answer, not an error.
    pub(crate) async fn of(connection: &mut (impl ConnectionLike + Send)) -> RedisResult<Self> {
        unless_forbidden(redis::cmd("INFO").arg("server").query_async::<String>(connection).await)
            .map(|info| Self::from_info(&info))
    }

    pub(crate) fn from_info(info: &str) -> Self {
        let field = |name: &str| field(info, name).unwrap_or_default().to_owned();
        Self { version: field("redis_version"), run_id: field("run_id") }
    }

    /// What an error calls it.
    pub(crate) fn title(&self) -> String {
        if self.version.is_empty() { "of an unknown version".to_owned() } else { self.version.clone() }
    }
}

/// What the server is sent to find out whether it is a Redis, and whether it knows what came with 6.2: `XTRIM MINID`, without
/// which nothing can be trimmed. What is tried is another command of 6.2, since it takes no key and changes nothing. The version
/// is not looked at: Valkey 9.1 says that it is Redis 7.2.4.
pub(crate) fn probe() -> Cmd {
    const PROBE: &str = "return {ARGV[1], redis.pcall('XAUTOCLAIM').err}";
    let mut eval = redis::cmd("EVAL");
    eval.arg(PROBE).arg(0).arg(SIGN);
    eval
}

/// Comes back only from a server that ran the script.
const SIGN: &str = "redstream";

/// What is known of a server by its answer to the [`probe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It can do what is needed, or the user may not ask.
    Fit,
    /// It refused for now: while it loads, for example.
    NotYetKnown,
}

/// Errors if it is no Redis, or one that is too old.
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
