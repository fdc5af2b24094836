//! Two sockets.

use super::Pace;
use crate::place::Place;
use crate::socket::{Socket, packed};
use crate::yardstick::KEY;
use anyhow::Result;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// In microseconds.
pub(super) async fn latencies(place: &Place, pace: Pace) -> Result<Vec<f64>> {
    place.flush().await?;
    let (writer, reader) =
        (TcpStream::connect(("127.0.0.1", place.redis_port())).await?, Socket::connect(place.redis_port()).await?);
    writer.set_nodelay(true)?;
    let (mut replies, mut writer) = writer.into_split();
    let (epoch, count) = (Instant::now(), pace.messages);
    let reading = tokio::spawn(read(reader, epoch, count));
    let acknowledged = tokio::spawn(async move { tokio::io::copy(&mut replies, &mut tokio::io::sink()).await });
    let writing = tokio::spawn(async move {
        let mut ticks = pace.ticks();
        while ticks.recv().await.is_some() {
            let payload = format!(r#"{{"id":{}}}"#, epoch.elapsed().as_nanos());
            writer.write_all(&packed(&["XADD", KEY, "*", "payload", &payload])).await?;
        }
        anyhow::Ok(())
    });
    let latencies = reading.await??;
    writing.await??;
    acknowledged.abort();
    Ok(latencies)
}

async fn read(mut reader: Socket, epoch: Instant, count: usize) -> Result<Vec<f64>> {
    let (mut all, mut last) = (Vec::with_capacity(count), "0".to_owned());
    while all.len() < count {
        reader.write(&packed(&["XREAD", "COUNT", "1000", "BLOCK", "0", "STREAMS", KEY, &last])).await?;
        let mut reply = String::new();
        while !is_whole(&reply) {
            reply.push_str(std::str::from_utf8(reader.read().await?)?);
        }
        let now = epoch.elapsed();
        for line in reply.lines() {
            if let Some(sent) = line.strip_prefix(r#"{"id":"#).and_then(|rest| rest.strip_suffix('}')) {
                let latency = now.saturating_sub(Duration::from_nanos(sent.parse()?));
                all.push(latency.as_secs_f64() * 1e6);
            } else if line.starts_with(|first: char| first.is_ascii_digit()) {
                line.clone_into(&mut last);
            }
        }
    }
    Ok(all)
}

/// `*1`, `*2`, the key's length, the key, then `*N` and N entries that end with a payload.
fn is_whole(reply: &str) -> bool {
    let entries = reply.lines().nth(4).and_then(|line| line.strip_prefix('*')?.parse::<usize>().ok());
    entries.is_some_and(|entries| reply.matches("}\r\n").count() == entries)
}
