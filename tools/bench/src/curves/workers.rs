//! What workers need that have nothing to do: a consumer, a delayer and a trimmer for each stream, in one process.

use crate::cost::{Meter, in_use};
use crate::curve::{Curve, whole};
use crate::place::Place;
use anyhow::Result;
use redstream_core::{Batch, HandlerError, Supervisor, WorkerState};
use std::time::Duration;

/// The time at rest that is measured.
const REST: Duration = Duration::from_secs(20);

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let columns = &["streams", "workers", "connections", "memory, MB", "CPU, cores", "Redis, cores"];
    let mut curve = Curve::new("workers", columns);
    let counts: &[usize] = if place.is_quick() { &[10, 200] } else { &[1, 10, 100, 500, 2000] };
    for streams in counts {
        curve.point(at_rest(place, *streams).await?);
    }
    Ok(curve)
}

async fn at_rest(place: &Place, streams: usize) -> Result<Vec<String>> {
    let redstream = place.fresh().await?;
    let mut raw = place.raw().await?;
    let before = in_use();
    let mut supervisor = Supervisor::new().patience(Duration::from_secs(120));
    for n in 0..streams {
        let stream = redstream.stream(format!("s{n}"))?;
        supervisor = supervisor
            .with(stream.consumer("search", |_: Batch| std::future::ready(Ok::<_, HandlerError>(()))))
            .with(stream.delayer(Duration::from_secs(300)))
            .with(stream.trimmer());
    }
    let health = supervisor.health();
    let mut figures = None;
    let story = async {
        while health.workers().iter().any(|worker| worker.state != WorkerState::Idle) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(REST / 4).await;
        figures = Some(rest(&mut raw).await);
    };
    supervisor.run_until(story).await?;
    let (connections, bytes, own, redis) = figures.transpose()?.unwrap_or_default();
    let memory = bytes.saturating_sub(before) as f64 / 1e6;
    Ok(vec![
        whole(streams as f64),
        whole(3.0 * streams as f64),
        whole(connections),
        format!("{memory:.1}"),
        format!("{own:.3}"),
        format!("{redis:.3}"),
    ])
}

/// The connections, the bytes in use, and the cores that this process and Redis keep busy.
async fn rest(raw: &mut redis::aio::MultiplexedConnection) -> Result<(f64, usize, f64, f64)> {
    let (redis, meter) = (redis_cpu(raw).await?, Meter::start());
    tokio::time::sleep(REST).await;
    let seconds = REST.as_secs_f64();
    let own = meter.per(1).cpu_us / 1e6 / seconds;
    let redis = (redis_cpu(raw).await? - redis) / seconds;
    let list: String = redis::cmd("CLIENT").arg("LIST").query_async(raw).await?;
    // Without the one that asks.
    Ok((list.lines().count().saturating_sub(1) as f64, in_use(), own, redis))
}

/// The processor time of the server, in seconds.
async fn redis_cpu(raw: &mut redis::aio::MultiplexedConnection) -> Result<f64> {
    let info: String = redis::cmd("INFO").arg("cpu").query_async(raw).await?;
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    Ok(field("used_cpu_sys:").unwrap_or_default() + field("used_cpu_user:").unwrap_or_default())
}
