//! A proxy in front of Redis that loses replies and cuts connections when it is told to.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

/// What becomes of a request and its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection breaks before Redis gets the request.
    BreakBefore,
    /// Redis does what it was asked; the connection stays open, and no reply comes through it any more.
    FallSilent,
    /// Redis does what it was asked; the connection breaks instead of a reply.
    BreakInstead,
    /// Redis does what it was asked; the connection breaks in the middle of the reply.
    BreakWithin,
    /// Redis does what it was asked; these bytes come instead of its reply.
    Lie(&'static str),
    /// Redis does what it was asked; the reply comes when [`Proxy::let_go`] says so.
    Late,
}

impl Fault {
    pub(crate) const ALL: [Self; 4] = [Self::BreakBefore, Self::FallSilent, Self::BreakInstead, Self::BreakWithin];
}

pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

struct Shared {
    redis: AtomicU16,
    /// Every second connection leads there, where there is one.
    rival: AtomicU16,
    accepted: AtomicUsize,
    plan: Mutex<Option<Plan>>,
    struck: AtomicUsize,
    cuts: watch::Sender<u64>,
    let_go: Notify,
}

struct Plan {
    needle: Vec<u8>,
    fault: Fault,
    times: usize,
}

impl Proxy {
    /// In front of the Redis at that port of this machine.
    pub(crate) async fn start(redis: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            redis: AtomicU16::new(redis),
            rival: AtomicU16::new(0),
            accepted: AtomicUsize::new(0),
            plan: Mutex::default(),
            struck: AtomicUsize::new(0),
            cuts: watch::Sender::new(0),
            let_go: Notify::new(),
        });
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, shared.clone())));
        Self { port, shared, _accepting: accepting }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// The next `times` requests with these bytes in them meet this fault.
    pub(crate) fn strike(&self, needle: &str, fault: Fault, times: usize) {
        *self.shared.plan.lock().unwrap() = Some(Plan { needle: needle.into(), fault, times });
    }

    /// How many requests have met their fault.
    pub(crate) fn struck(&self) -> usize {
        self.shared.struck.load(Ordering::SeqCst)
    }

    /// Lets a reply come that is [late](Fault::Late).
    pub(crate) fn let_go(&self) {
        self.shared.let_go.notify_one();
    }

    /// Leads every second connection to another Redis from now on, as in the middle of a failover.
    pub(crate) fn alternate_with(&self, rival: u16) {
        self.shared.rival.store(rival, Ordering::SeqCst);
    }

    /// How many connections it has accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Leads to another Redis from now on, as an address does after a failover, and cuts all connections.
    pub(crate) fn lead_to(&self, redis: u16) {
        self.shared.rival.store(0, Ordering::SeqCst);
        self.shared.redis.store(redis, Ordering::SeqCst);
        self.cut();
    }

    /// Cuts all connections; new ones are accepted.
    pub(crate) fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }
}

impl Shared {
    /// The Redis that the next connection leads to.
    fn destination(&self) -> u16 {
        let second = self.accepted.fetch_add(1, Ordering::SeqCst) % 2 == 1;
        match self.rival.load(Ordering::SeqCst) {
            rival if second && rival != 0 => rival,
            _ => self.redis.load(Ordering::SeqCst),
        }
    }

    /// The fault that this request is to meet.
    fn fault_of(&self, request: &[u8]) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap();
        let due = plan.as_mut().filter(|plan| plan.times > 0 && contains(request, &plan.needle))?;
        due.times -= 1;
        self.struck.fetch_add(1, Ordering::SeqCst);
        Some(due.fault)
    }
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let mut cuts = shared.cuts.subscribe();
        let shared = shared.clone();
        connections.spawn(async move {
            tokio::select! {
                _ = cuts.changed() => {}
                _ = pass(client, &shared) => {}
            }
        });
    }
}

/// Passes bytes in both directions until one end closes, or a fault breaks the connection.
async fn pass(mut client: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut redis = TcpStream::connect(("127.0.0.1", shared.destination())).await?;
    client.set_nodelay(true)?;
    redis.set_nodelay(true)?;
    let mut fault = None;
    let (mut request, mut reply) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let request = &request[..read?];
                if request.is_empty() {
                    return Ok(());
                }
                fault = shared.fault_of(request).or(fault);
                if fault == Some(Fault::BreakBefore) {
                    return Ok(());
                }
                redis.write_all(request).await?;
            }
            read = redis.read(&mut reply) => {
                let reply = &reply[..read?];
                if reply.is_empty() {
                    return Ok(());
                }
                match fault {
                    None => client.write_all(reply).await?,
                    Some(Fault::FallSilent) => {}
                    Some(Fault::Lie(bytes)) => {
                        client.write_all(bytes.as_bytes()).await?;
                        fault = None;
                    }
                    Some(Fault::Late) => {
                        shared.let_go.notified().await;
                        client.write_all(reply).await?;
                        fault = None;
                    }
                    Some(Fault::BreakWithin) => return client.write_all(&reply[..reply.len() / 2]).await,
                    Some(Fault::BreakInstead | Fault::BreakBefore) => return Ok(()),
                }
            }
        }
    }
}
