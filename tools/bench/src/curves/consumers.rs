//! Several consumers of one stream, each of which reads all of it.

use crate::consuming::consume;
use crate::curve::{Curve, percent, whole};
use crate::fill;
use crate::load::Load;
use crate::place::Place;
use anyhow::Result;
use std::time::Instant;
use tokio::task::JoinSet;

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let mut curve = Curve::new("consumers", &["consumers", "messages/s, each", "messages/s, all", "Redis busy"]);
    let redstream = place.fresh().await?;
    let stream = redstream.stream("shared")?;
    let count = place.scaled(100_000);
    fill::readers(&stream).await?;
    fill::main(&redstream, &stream, count).await?;
    for consumers in [1, 2, 5, 10, 20] {
        let load = Load::watch(place.raw().await?).await?;
        let begun = Instant::now();
        let mut consuming = JoinSet::new();
        for n in 0..consumers {
            let stream = stream.clone();
            consuming.spawn(async move { consume(&stream, &format!("reader-{n}-of-{consumers}"), count).await });
        }
        while let Some(consumed) = consuming.join_next().await {
            consumed??;
        }
        let each = count as f64 / begun.elapsed().as_secs_f64();
        let busy = load.share().await?;
        curve.point([consumers.to_string(), whole(each), whole(each * f64::from(consumers)), percent(busy)]);
    }
    Ok(curve)
}
