//! A proxy in front of Redis that loses replies, delays them and cuts connections on request.
//!
//! # Layout
//! - `lib.rs`: [`Proxy`], and its controls for tests and schedules of crashes.
//! - `shared.rs`: its settings, shared by its connections.
//! - `connection.rs`: accepts connections, passes bytes on, and applies [faults](Fault).

mod connection;
mod shared;

use shared::{Plan, Shared};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// A fault of a request or its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before Redis gets the request.
    BreakBefore,
    /// Redis executes the request; the connection stays open, and no further reply is forwarded.
    FallSilent,
    /// Redis executes the request; the connection breaks instead of a reply.
    BreakInstead,
    /// Redis executes the request; the connection breaks in the middle of the reply.
    BreakWithin,
    /// Redis executes the request; these bytes replace its reply.
    Lie(&'static str),
    /// Redis executes the request; the reply is forwarded when [`Proxy::let_go`] is called.
    Late,
}

impl Fault {
    /// The faults after which the connection is unusable.
    pub const ALL: [Self; 4] = [Self::BreakBefore, Self::FallSilent, Self::BreakInstead, Self::BreakWithin];
}

/// How a proxy is set up.
#[derive(Clone, Debug)]
#[must_use]
pub struct ProxyOptions {
    redis: u16,
    rename_ports: bool,
    open: Arc<AtomicBool>,
}

impl ProxyOptions {
    /// In front of the Redis at that port of this machine.
    pub fn new(redis: u16) -> Self {
        Self { redis, rename_ports: false, open: Arc::new(AtomicBool::new(true)) }
    }

    /// Replies in which a Cluster's node names its port name the proxy's instead. Default: no.
    pub fn rename_ports(mut self, on: bool) -> Self {
        self.rename_ports = on;
        self
    }

    /// Closes new connections at once while this is false. Several proxies may share it. Default: all are accepted.
    pub fn while_open(mut self, open: Arc<AtomicBool>) -> Self {
        self.open = open;
        self
    }

    /// Starts the proxy on a free port.
    ///
    /// # Errors
    /// If the operating system gives no port.
    pub async fn start(self) -> io::Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let renamed = self.rename_ports.then_some((self.redis, port));
        let shared = Arc::new(Shared::new(self.redis, renamed, self.open));
        let accepting = AbortOnDropHandle::new(tokio::spawn(connection::accept(listener, shared.clone())));
        Ok(Proxy { port, shared, _accepting: accepting })
    }
}

/// A proxy that runs. Dropping it cuts all connections, and ends it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Starts one in front of the Redis at that port of this machine. For anything else: [`ProxyOptions`].
    ///
    /// # Errors
    /// If the operating system gives no port.
    pub async fn start(redis: u16) -> io::Result<Self> {
        ProxyOptions::new(redis).start().await
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address: `redis://127.0.0.1:PORT/`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// The next `times` requests with these bytes in them meet this fault; any requests if it is empty. Replaces the
    /// faults that [were set before](Self::strike).
    pub fn strike(&self, needle: &str, fault: Fault, times: usize) {
        *self.shared.plan() = Some(Plan { needle: needle.into(), fault, times });
    }

    /// How many requests have met their fault.
    pub fn struck(&self) -> usize {
        self.shared.struck.load(Ordering::SeqCst)
    }

    /// Lets a reply come that is [late](Fault::Late).
    pub fn let_go(&self) {
        self.shared.let_go.notify_one();
    }

    /// Each request and each reply takes this much longer from now on.
    pub fn slow_down(&self, by: Duration) {
        *self.shared.slowness() = by;
    }

    /// Leads every second connection to another Redis from now on, as in the middle of a failover.
    pub fn alternate_with(&self, rival: u16) {
        self.shared.rival.store(rival, Ordering::SeqCst);
    }

    /// How many connections it has accepted.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Leads to another Redis from now on, as an address does after a failover, and cuts all connections.
    pub fn lead_to(&self, redis: u16) {
        self.shared.rival.store(0, Ordering::SeqCst);
        self.shared.redis.store(redis, Ordering::SeqCst);
        self.cut();
    }

    /// Cuts all connections; new ones are accepted.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Ends all faults, and cuts all connections: some may be without replies.
    pub fn heal(&self) {
        *self.shared.plan() = None;
        self.slow_down(Duration::ZERO);
        self.cut();
    }
}
