//! Tracked saves per transaction, on SQLite.

use crate::curve::{Curve, whole};
use crate::database::{Backend, Database};
use crate::fill;
use crate::place::Place;
use crate::saving::{self, Save};
use anyhow::Result;

/// The fastest of many, measured in turns: during a long transaction the machine has moments in which every save takes
/// five times as long, plain ones too, and a median of so few samples still includes them.
pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let columns = &["saves a transaction", "plain, ms", "through Redstream, ms", "added a save, µs"];
    let mut curve = Curve::new("saves", columns);
    let redstream = place.fresh().await?;
    fill::readers(&redstream.stream("cities")?).await?;
    let database = Database::new(place, Backend::Sqlite, &redstream).await?;
    let save = Save::Update { rows: 10_000 };
    database.fill(10_000).await?;
    let measuring = tokio::spawn(async move {
        for saves in [1, 10, 100, 1_000, 10_000] {
            let (mut plain, mut streamed) = (f64::INFINITY, f64::INFINITY);
            for _ in 0..(10_000 / saves).clamp(40, 1000) {
                plain = plain.min(saving::plain(&database, save, saves, 0).await?.as_secs_f64() * 1e3);
                streamed = streamed.min(saving::streamed(&database, save, saves, 0).await?.as_secs_f64() * 1e3);
            }
            let added = (streamed - plain) * 1e3 / saves as f64;
            curve.point([whole(saves as f64), format!("{plain:.2}"), format!("{streamed:.2}"), format!("{added:.1}")]);
        }
        anyhow::Ok(curve)
    });
    measuring.await?
}
