//! The connections of a proxy.

use crate::{Fault, shared::Shared};
use std::{
    io,
    sync::{Arc, atomic::Ordering},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

/// Accepts connections until the proxy is dropped, and passes on what comes through them until they are cut.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
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
                slow_down(shared).await;
                redis.write_all(request).await?;
            }
            read = redis.read(&mut reply) => {
                let reply = &mut reply[..read?];
                if reply.is_empty() {
                    return Ok(());
                }
                rename_port(reply, shared);
                slow_down(shared).await;
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

/// Puts the proxy's own port in a reply wherever a Cluster's node names its port: alone on a line or after its host.
/// Both have five digits, so that no length changes.
fn rename_port(reply: &mut [u8], shared: &Shared) {
    let Some((redis, own)) = shared.renamed else { return };
    let [redis, own] = [redis, own].map(|port| format!(":{port}\r\n").into_bytes());
    let mut from = 0;
    while let Some(at) = reply[from..].windows(redis.len()).position(|bytes| bytes == redis) {
        from += at + own.len();
        reply[from - own.len()..from].copy_from_slice(&own);
    }
}

async fn slow_down(shared: &Shared) {
    let by = *shared.slowness();
    if !by.is_zero() {
        sleep(by).await;
    }
}
