//! A hundred saves a transaction.

use super::one_save::{Saving, added};
use crate::database::Backend;
use crate::place::Place;
use crate::row::{Measure, Question, Row};
use crate::saving::Save;
use anyhow::Result;

const fn question(name: &'static str, path: &'static str) -> Question {
    let yardstick = "one XADD round trip, raw socket";
    Question { name, path, yardstick, unit: "µs", measure: Measure::Price, floor: 0.13, aim: 0.08 }
}

const SAVES: usize = 100;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let save = Save::Update { rows: 10 * SAVES };
    let saving = |backend| Saving { backend, save, saves: SAVES, in_background: false };
    let mut rows = Vec::new();
    for (backend, question) in [
        (Backend::Postgres, question("many_saves_postgres", "100 saves a transaction, time added a save, PostgreSQL")),
        (Backend::Sqlite, question("many_saves_sqlite", "100 saves a transaction, time added a save, SQLite")),
    ] {
        rows.push(question.answer(&added(place, saving(backend), place.scaled(100).max(10)).await?));
    }
    Ok(rows)
}
