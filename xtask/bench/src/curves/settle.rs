//! What settling saves, and what it costs.

use crate::curve::{Curve, whole};
use crate::database::{Backend, Database};
use crate::place::Place;
use crate::rows::memory::memory;
use crate::saving::{self, Save};
use crate::statistics::median;
use anyhow::Result;
use std::time::Duration;

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let columns = &[
        "`settle`",
        "saves, one a transaction",
        "a transaction, µs",
        "bytes of delay messages left",
        "messages a consumer handles in all",
    ];
    let mut curve = Curve::new("settle", columns);
    let count = place.scaled(3000);
    let save = Save::Update { rows: count };
    for settles in [false, true] {
        let redstream = place.fresh().await?;
        let mut database = Database::new(place, Backend::Sqlite, &redstream).await?;
        database.streamed = database.streamed.settle(settles);
        database.fill(count).await?;
        let saving = tokio::spawn(async move {
            let mut took = Vec::new();
            for n in 0..count {
                took.push(saving::streamed(&database, save, 1, n).await?.as_secs_f64() * 1e6);
            }
            anyhow::Ok(median(took))
        });
        let took = saving.await??;
        let delay = "redstream:stream:cities.delay";
        let left = memory(&mut place.raw().await?, delay).await?;
        let stream = redstream.stream("cities")?;
        // All are due by now.
        let delayer = stream.delayer(Duration::from_millis(1)).batch_size(count);
        tokio::time::sleep(Duration::from_millis(5)).await;
        delayer.run_once().await?;
        let handled = stream.len().await?;
        let mode = if settles { "on" } else { "off" };
        curve.point([mode.to_owned(), whole(count as f64), format!("{took:.0}"), whole(left), whole(handled as f64)]);
    }
    Ok(curve)
}
