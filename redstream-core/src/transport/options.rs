//! How to reach Redis, and how long to wait for it.

mod url;

use std::fmt;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::message::name::check_namespace;
use crate::time::LONGEST;

/// How to connect: [`Redstream::connect`](crate::Redstream::connect) takes it, or just a URL.
///
/// ```no_run
/// # async fn example() -> redstream_core::Result<()> {
/// use redstream_core::{ConnectOptions, Redstream};
/// let redstream = Redstream::connect(ConnectOptions::new("redis://127.0.0.1/").namespace("shop")).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ConnectOptions {
    pub(crate) place: Place,
    pub(crate) namespace: Option<String>,
    #[cfg(feature = "tls")]
    pub(crate) root_certificate: Option<Vec<u8>>,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) give_up_after: Duration,
    pub(crate) lazy: bool,
    pub(crate) packed: bool,
    pub(crate) waiting_alone: usize,
    pub(crate) protocol: Protocol,
    /// `node` was given without Sentinels.
    has_stray_node: bool,
}

/// Where Redis is. [`url`] checks what its URLs must not contain.
#[derive(Clone)]
pub(crate) enum Place {
    Single(String),
    Sentinel { urls: Vec<String>, master: String, node: String },
    Cluster(Vec<String>),
}

/// Whose code speaks the protocol with one server without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Own,
    RedisRs,
}

impl ConnectOptions {
    /// One server: `redis://[user:password@]host[:port][/db]`. Add `?protocol=resp3` for RESP3. Write a `#`, `/`, `?`
    /// or `@` of a password as `%23`, `%2F`, `%3F` or `%40`.
    pub fn new(url: impl Into<String>) -> Self {
        Self::at(Place::Single(url.into()))
    }

    /// The master that Sentinels know under a name; looked up again when a connection breaks, so that writes follow a
    /// failover. `urls` are the Sentinels', `redis://host:26379`, with *their* credentials if they have any; those of
    /// Redis itself are set by [`node`](Self::node).
    pub fn sentinel(urls: impl IntoIterator<Item = impl Into<String>>, master: impl Into<String>) -> Self {
        let urls = urls.into_iter().map(Into::into).collect();
        Self::at(Place::Sentinel { urls, master: master.into(), node: "redis://any/".to_owned() })
    }

    /// A Redis Cluster, by one or more of its nodes, whose URLs name no database: a Cluster has one. Each stream's name
    /// is then a hash tag, as in `redstream:stream:{products}`, so that all keys of one stream are in one slot.
    pub fn cluster(urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::at(Place::Cluster(urls.into_iter().map(Into::into).collect()))
    }

    /// With [`sentinel`](Self::sentinel): a URL whose user, password, database, protocol and TLS are those of Redis
    /// itself. Its host is ignored. Default: no password, database 0, no TLS. Without Sentinels,
    /// [`connect`](crate::Redstream::connect) refuses it with [`Error::InvalidOption`].
    #[must_use]
    pub fn node(mut self, url: impl Into<String>) -> Self {
        match &mut self.place {
            Place::Sentinel { node, .. } => *node = url.into(),
            Place::Single(_) | Place::Cluster(_) => self.has_stray_node = true,
        }
        self
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            namespace: None,
            #[cfg(feature = "tls")]
            root_certificate: None,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
            give_up_after: Duration::from_secs(3),
            lazy: false,
            packed: true,
            waiting_alone: 16,
            protocol: Protocol::Own,
            has_stray_node: false,
        }
    }

    /// Puts every key under `NAMESPACE:redstream`, so that several applications can share one Redis. Default: none,
    /// keys begin with `redstream`. Not usable: white space, braces, and the special characters of patterns in access
    /// rules (`*`, `?`, `[`, `]` and `\`).
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// The certificate authority, in PEM, that alone is trusted for the server of a `rediss://` URL. Default: the
    /// authorities that the system trusts. Certificates and host names are always verified. For one server or a
    /// cluster; refused with Sentinels.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificate = Some(pem.into());
        self
    }

    /// The longest wait for one attempt to connect. Default: 1 second.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The longest wait for one reply. Default: 1 second. (Blocking reads wait as long as they
    /// block, and a few seconds more.)
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// The bound of a whole call: connecting, retries and reply together. Default: 3 seconds. This is also how long a
    /// transaction stays open at most while Redis hangs.
    #[must_use]
    pub fn give_up_after(mut self, bound: Duration) -> Self {
        self.give_up_after = bound;
        self
    }

    /// Lets [`connect`](crate::Redstream::connect) return even if Redis cannot be reached, so that an application that
    /// is deployed during an outage starts. Default: off, so that a misspelled host name fails the deployment.
    ///
    /// One attempt is made anyway. A failure that may pass (no server answers, Redis is loading) is logged as a
    /// warning; a refusal (a wrong password, a server that is too old) is still an error. Until Redis answers, workers
    /// wait and [`Health::is_ready`](crate::Health::is_ready) is false; each call of a producer fails after
    /// [`give_up_after`](Self::give_up_after), and a connection with an outbox writes to that. The version and the
    /// [risks](crate::Redstream::risks) are then checked with the first connection that succeeds.
    #[must_use]
    pub fn lazy(mut self) -> Self {
        self.lazy = true;
        self
    }

    /// Whether messages of one stream that are written together may share entries of up to 100 messages or 16 KiB,
    /// which costs Redis and its memory much less. Default: yes, while every registered consumer of the stream can read
    /// them, and there is one. It applies to everything that this handle writes: producers, the connections that have
    /// one, the relay of an outbox, reindexes, and delayers.
    ///
    /// **Switch it off** in each process that writes a stream or moves its delay messages if the stream has readers
    /// that are not registered: consumers or a delayer of the Ruby gem beside ours, and programs that read it by
    /// commands of Redis. They do not know the field `payloads`, and would miss the changes. Also while consumers of an
    /// earlier version may take over from one of this version: switch it on when all hosts have this version.
    #[must_use]
    pub fn packed(mut self, on: bool) -> Self {
        self.packed = on;
        self
    }

    /// How many workers that have nothing to do, consumers and hot standbys, wait on a connection each, by which they
    /// get a message a little sooner. Default: 16. If there are more, these wait together, 128 on a connection. A
    /// consumer that is busy has a connection in any case.
    ///
    /// Zero suits a Redis that allows few connections. No effect on a Cluster, where each worker that waits has its
    /// own.
    #[must_use]
    pub fn waiting_alone(mut self, workers: usize) -> Self {
        self.waiting_alone = workers;
        self
    }

    /// Whether redis-rs speaks the protocol on every connection, as it does with TLS and a Cluster. Default: no, one
    /// server without TLS is reached by our own code, which is faster in most cases ([figures]). For comparisons, and
    /// for a proxy or a server that understands only one of the two.
    ///
    /// [figures]: https://github.com/redstream-rs/redstream/blob/main/docs/performance.md#our-own-client-and-redis-rs
    #[must_use]
    pub fn redis_rs_only(mut self, on: bool) -> Self {
        self.protocol = if on { Protocol::RedisRs } else { Protocol::Own };
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.namespace.as_deref().map_or(Ok(()), check_namespace)?;
        for (option, value) in [
            ("connect_timeout", self.connect_timeout),
            ("response_timeout", self.response_timeout),
            ("give_up_after", self.give_up_after),
        ] {
            bounded(option, value)?;
        }
        self.place.check()?;
        if self.has_stray_node {
            let reason =
                "it is the Redis behind Sentinels: give the URL of one server, or of a Cluster's, itself".to_owned();
            return Err(Error::InvalidOption { option: "node", reason });
        }
        #[cfg(feature = "tls")]
        if self.root_certificate.is_some() && matches!(self.place, Place::Sentinel { .. }) {
            let reason = "with Sentinels the authorities of the system vouch: add it to those".to_owned();
            return Err(Error::InvalidOption { option: "root_certificate", reason });
        }
        Ok(())
    }
}

/// Refuses a duration of zero, and one that is too long for Redis, which adds milliseconds to its clock.
pub(crate) fn bounded(option: &'static str, value: Duration) -> Result<()> {
    positive(option, value)?;
    if value > LONGEST {
        let reason = format!("{value:?} is longer than ten years, more than Redis can count");
        return Err(Error::InvalidOption { option, reason });
    }
    Ok(())
}

/// Refuses a duration of zero, with which no call could finish.
pub(crate) fn positive(option: &'static str, value: Duration) -> Result<()> {
    if value.is_zero() {
        return Err(Error::InvalidOption { option, reason: "it is zero".to_owned() });
    }
    Ok(())
}

/// Refuses a batch of no messages.
pub(crate) fn check_batch_size(messages: usize) -> Result<()> {
    // Redis reads COUNT 0 as "all", which would load a whole stream into memory.
    if messages == 0 {
        return Err(Error::InvalidOption { option: "batch_size", reason: "it is zero".to_owned() });
    }
    Ok(())
}

impl From<&str> for ConnectOptions {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for ConnectOptions {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl From<&String> for ConnectOptions {
    fn from(url: &String) -> Self {
        Self::new(url)
    }
}

/// Without the URL: it may contain a password.
impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("namespace", &self.namespace)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("give_up_after", &self.give_up_after)
            .finish_non_exhaustive()
    }
}
