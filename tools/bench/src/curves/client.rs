//! Our own code for the protocol, and redis-rs in its place.

use crate::curve::Curve;
use crate::database::Backend;
use crate::place::Place;
use crate::report::table::figure;
use crate::rounds::{Rounds, in_turns};
use crate::rows::one_save::{Saving, added};
use crate::rows::{bulk_produce, commit_latency, concurrent_saves, consume, delayer, latency, single_queue};
use crate::saving::Save;
use crate::statistics::{Spread, median};
use anyhow::Result;
use futures_util::future::LocalBoxFuture;

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let mut curve = Curve::new("client", &["path", "our own code", "redis-rs", "ratio (min … max)"]);
    let library = place.by_redis_rs();
    for Path { name, unit, measure, is_long } in paths() {
        let rounds = if is_long { place.few_rounds() } else { place.many_rounds() };
        let (by_library, ours) = (async || measure(&library).await, async || Ok((measure(place).await?, None)));
        curve.point(point(name, unit, &in_turns(rounds, by_library, ours).await?));
    }
    Ok(curve)
}

struct Path {
    name: &'static str,
    unit: &'static str,
    measure: for<'a> fn(&'a Place) -> LocalBoxFuture<'a, Result<f64>>,
    is_long: bool,
}

fn paths() -> Vec<Path> {
    let path = |name, unit, measure| Path { name, unit, measure, is_long: false };
    let long = |name, unit, measure| Path { name, unit, measure, is_long: true };
    vec![
        path("bulk produce", "messages/s", |place| Box::pin(async { Ok(bulk_produce::ours(place).await?.0) })),
        path("consume", "messages/s", |place| Box::pin(consumed(place))),
        path("delayer move", "messages/s", |place| Box::pin(async { Ok(delayer::ours(place).await?.0) })),
        path("single `queue`, 100 tasks", "messages/s", |place| {
            Box::pin(async { Ok(single_queue::ours(place).await?.0) })
        }),
        path("`queue` → handler, idle, p50", "µs", |place| Box::pin(async { Ok(latency::ours(place).await?.0) })),
        path("`queue` → handler, at 10,000/s, p99", "µs", |place| {
            Box::pin(async { Ok(latency::ours(place).await?.1) })
        }),
        long("one save, time added, PostgreSQL", "µs", |place| Box::pin(saved(place, Backend::Postgres, 1))),
        long("one save, time added, SQLite", "µs", |place| Box::pin(saved(place, Backend::Sqlite, 1))),
        long("100 saves a transaction, time added a save, SQLite", "µs", |place| {
            Box::pin(saved(place, Backend::Sqlite, 100))
        }),
        long("1 task that saves, PostgreSQL", "saves/s", |place| Box::pin(concurrent_saves::ours(place, 1))),
        long("64 tasks that save, PostgreSQL", "saves/s", |place| Box::pin(concurrent_saves::ours(place, 64))),
        long("commit → handler, 64 tasks that save, p99", "µs", |place| Box::pin(commit_latency::ours(place))),
    ]
}

async fn consumed(place: &Place) -> Result<f64> {
    let count = place.scaled(500_000);
    let stream = consume::filled(place, count).await?;
    Ok(consume::ours(&stream, 1, count).await?.0)
}

async fn saved(place: &Place, backend: Backend, saves: usize) -> Result<f64> {
    let saving = Saving { backend, save: Save::Update { rows: 1000 }, saves, in_background: false };
    let rounds = added(place, saving, 300 / saves.isqrt()).await?;
    Ok(median(rounds.pairs.iter().map(|(ours, _)| *ours)))
}

fn point(name: &str, unit: &str, rounds: &Rounds) -> Vec<String> {
    let ratios: Vec<f64> = rounds.pairs.iter().map(|(ours, library)| ours / library).collect();
    let spread = Spread::of(&ratios);
    let [ours, library] =
        [|pair: &(f64, f64)| pair.0, |pair: &(f64, f64)| pair.1].map(|of| median(rounds.pairs.iter().map(of)));
    vec![
        name.to_owned(),
        format!("{} {unit}", figure(ours)),
        format!("{} {unit}", figure(library)),
        format!("**{:.2}** ({:.2} … {:.2})", spread.median, spread.min, spread.max),
    ]
}
