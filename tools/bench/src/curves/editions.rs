//! The rows that depend on Redis most, on other servers and by TLS, each beside the limit on the same server.

use crate::curve::Curve;
use crate::place::Place;
use crate::report::table::{figure, ratio};
use crate::row::Row;
use crate::rows::{bulk_produce, commit_latency, concurrent_saves, consume, delayer, latency};
use anyhow::Result;
use redstream_servers::RedisEdition;

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let mut curve = Curve::new("editions", &["path", "Redis", "Redis, by TLS", "Redis 8.2", "Valkey 9"]);
    let places = [
        place.clone(),
        place.with_tls().await?,
        place.with_edition(RedisEdition::Redis8_2).await?,
        place.with_edition(RedisEdition::Valkey).await?,
    ];
    let mut columns = Vec::new();
    for place in &places {
        columns.push(rows(place).await?);
    }
    let [first, ..] = &columns[..] else { return Ok(curve) };
    for (nth, row) in first.iter().enumerate() {
        let cells = columns.iter().map(|column| cell(&column[nth]));
        curve.point([row.path.to_owned()].into_iter().chain(cells));
    }
    Ok(curve)
}

async fn rows(place: &Place) -> Result<Vec<Row>> {
    let mut rows = bulk_produce::rows(place).await?;
    rows.extend(consume::rows(place).await?);
    rows.extend(delayer::rows(place).await?);
    rows.extend(latency::rows(place).await?);
    rows.push(concurrent_saves::of_64_tasks(place).await?);
    rows.extend(commit_latency::rows(place).await?);
    Ok(rows)
}

/// The ratio, and the figure.
fn cell(row: &Row) -> String {
    format!("**{}**, {} {}", ratio(row, row.ratio), figure(row.ours), row.unit)
}
