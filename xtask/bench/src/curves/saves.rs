//! Tracked saves a transaction, on SQLite.

use crate::curve::Curve;
use crate::database::{Backend, Database};
use crate::place::Place;
use crate::saving::{self, Save};
use crate::statistics::median;
use anyhow::Result;

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let columns = &["saves a transaction", "plain, ms", "through Redstream, ms", "added a save, µs"];
    let mut curve = Curve::new("saves", columns);
    let redstream = place.fresh().await?;
    let database = Database::new(place, Backend::Sqlite, &redstream).await?;
    let save = Save::Update { rows: 10_000 };
    database.fill(10_000).await?;
    let measuring = tokio::spawn(async move {
        for saves in [1, 10, 100, 1_000, 10_000] {
            let (mut plain, mut streamed) = (Vec::new(), Vec::new());
            for _ in 0..(1000 / saves).clamp(3, 200) {
                plain.push(saving::plain(&database, save, saves, 0).await?.as_secs_f64() * 1e3);
                streamed.push(saving::streamed(&database, save, saves, 0).await?.as_secs_f64() * 1e3);
            }
            let (plain, streamed) = (median(plain), median(streamed));
            let added = (streamed - plain) * 1e3 / saves as f64;
            curve.point([
                crate::curve::whole(saves as f64),
                format!("{plain:.2}"),
                format!("{streamed:.2}"),
                format!("{added:.1}"),
            ]);
        }
        anyhow::Ok(curve)
    });
    measuring.await?
}
