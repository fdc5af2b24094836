//! The savings and the cost of removing delay messages with the main message.

use crate::curve::{Curve, whole};
use crate::database::{Backend, Database};
use crate::place::Place;
use crate::rows::memory::memory;
use crate::saving::{self, Save};
use crate::statistics::median;
use anyhow::Result;
use redstream_core::Redstream;
use std::time::Duration;

const MODES: [(bool, &str); 2] = [(false, "off"), (true, "on")];

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let columns = &[
        "`remove_delay_messages`",
        "saves, one a transaction",
        "a transaction, µs",
        "bytes of delay messages left",
        "messages a consumer handles in all",
    ];
    let mut curve = Curve::new("remove-delays", columns);
    let count = place.scaled(3000);
    let times = times(place, count).await?;
    for ((removes_delays, mode), took) in MODES.into_iter().zip(times) {
        let redstream = place.fresh().await?;
        let database = database(place, &redstream, removes_delays, count).await?;
        for n in 0..count {
            saving::streamed(&database, Save::Update { rows: count }, 1, n).await?;
        }
        let delay = "redstream:stream:cities.delay";
        let left = memory(&mut place.raw().await?, delay).await?;
        let stream = redstream.stream("cities")?;
        // All are due by now.
        let delayer = stream.delayer(Duration::from_millis(1)).batch_size(count);
        tokio::time::sleep(Duration::from_millis(5)).await;
        delayer.run_once().await?;
        let handled = stream.len().await?;
        curve.point([mode.to_owned(), whole(count as f64), format!("{took:.0}"), whole(left), whole(handled as f64)]);
    }
    Ok(curve)
}

/// The median time of a transaction in each mode, in microseconds; measured in turns.
async fn times(place: &Place, count: usize) -> Result<[f64; 2]> {
    let redstream = place.fresh().await?;
    let mut databases = Vec::new();
    for (removes_delays, _) in MODES {
        databases.push(database(place, &redstream, removes_delays, count).await?);
    }
    // In a task, like an application's handlers.
    let saving = tokio::spawn(async move {
        let mut took = [Vec::new(), Vec::new()];
        for n in 0..count {
            for (database, took) in databases.iter().zip(&mut took) {
                took.push(saving::streamed(database, Save::Update { rows: count }, 1, n).await?.as_secs_f64() * 1e6);
            }
        }
        anyhow::Ok(took.map(median))
    });
    saving.await?
}

async fn database(place: &Place, redstream: &Redstream, removes_delays: bool, rows: usize) -> Result<Database> {
    let mut database = Database::new(place, Backend::Sqlite, redstream).await?;
    database.streamed = database.streamed.to_builder().remove_delay_messages(removes_delays).build();
    database.fill(rows).await?;
    Ok(database)
}
