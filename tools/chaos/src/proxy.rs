//! A proxy between one process and Redis: it cuts, delays, swallows and halves what passes through it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::place::Place;

/// What the network does to one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NetworkFault {
    /// All connections break, now.
    Cut,
    /// Whatever passes takes so many ms longer, until the faults end.
    Slow(u64),
    /// The next request does not arrive; its connection breaks.
    BreakBefore,
    /// The next request arrives; its connection stays open, and no reply comes through it any more.
    FallSilent,
    /// The next request arrives; its connection breaks instead of a reply.
    BreakInstead,
    /// The next request arrives; its connection breaks in the middle of the reply.
    BreakWithin,
}

/// Dropping it cuts everything.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

struct Shared {
    redis: u16,
    port: u16,
    place: Place,
    open: Arc<AtomicBool>,
    next: Mutex<Option<NetworkFault>>,
    slow_ms: AtomicU64,
    cuts: watch::Sender<u64>,
}

impl Proxy {
    /// In front of the Redis at that port; refuses while `open` is false. A Cluster's node tells its clients the way through it.
    pub(crate) async fn start(redis: u16, open: Arc<AtomicBool>, place: Place) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let cuts = watch::Sender::new(0);
        let shared =
            Arc::new(Shared { redis, port, place, open, next: Mutex::default(), slow_ms: AtomicU64::new(0), cuts });
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, shared.clone())));
        Ok(Self { port, shared, _accepting: accepting })
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn strike(&self, fault: NetworkFault) {
        match fault {
            NetworkFault::Cut => self.shared.cuts.send_modify(|cuts| *cuts += 1),
            NetworkFault::Slow(ms) => self.shared.slow_ms.store(ms, Ordering::SeqCst),
            next => *self.shared.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(next),
        }
    }

    /// Ends all faults. Connections that fell silent break.
    pub(crate) fn heal(&self) {
        self.shared.slow_ms.store(0, Ordering::SeqCst);
        self.shared.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.strike(NetworkFault::Cut);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let mut cuts = shared.cuts.subscribe();
        let shared = shared.clone();
        connections.spawn(async move {
            if shared.open.load(Ordering::SeqCst) {
                tokio::select! {
                    _ = cuts.changed() => {}
                    _ = pass(client, &shared) => {}
                }
            }
        });
    }
}

/// Passes bytes in both directions until one end closes, or a fault breaks the connection.
async fn pass(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut redis = TcpStream::connect(("127.0.0.1", shared.redis)).await?;
    client.set_nodelay(true)?;
    redis.set_nodelay(true)?;
    let mut fault = None;
    let (mut request, mut reply) = (vec![0; 1 << 14], vec![0; 1 << 14]);
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let request = &request[..read?];
                if request.is_empty() {
                    return Ok(());
                }
                let next = shared.next.lock().unwrap_or_else(PoisonError::into_inner).take();
                fault = next.or(fault);
                if fault == Some(NetworkFault::BreakBefore) {
                    return Ok(());
                }
                linger(shared).await;
                redis.write_all(request).await?;
            }
            read = redis.read(&mut reply) => {
                let reply = through(&mut reply[..read?], shared);
                if reply.is_empty() {
                    return Ok(());
                }
                linger(shared).await;
                match fault {
                    None => client.write_all(reply).await?,
                    Some(NetworkFault::FallSilent) => {}
                    Some(NetworkFault::BreakWithin) => return client.write_all(&reply[..reply.len() / 2]).await,
                    Some(_) => return Ok(()),
                }
            }
        }
    }
}

/// The reply with the proxy's own port wherever a Cluster's node names its port: alone on a line or after its host. Both have
/// five digits, so that no length changes.
fn through<'r>(reply: &'r mut [u8], shared: &Shared) -> &'r [u8] {
    if shared.place == Place::Cluster {
        let [redis, own] = [shared.redis, shared.port].map(|port| format!(":{port}\r\n").into_bytes());
        let mut from = 0;
        while let Some(at) = reply[from..].windows(redis.len()).position(|bytes| bytes == redis) {
            from += at + own.len();
            reply[from - own.len()..from].copy_from_slice(&own);
        }
    }
    reply
}

async fn linger(shared: &Shared) {
    let ms = shared.slow_ms.load(Ordering::SeqCst);
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
