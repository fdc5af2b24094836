//! One save a transaction: what insurance and announcement add to it.

use crate::cost::Meter;
use crate::database::{Backend, Database};
use crate::key::SAMPLE;
use crate::place::Place;
use crate::rounds::Rounds;
use crate::row::{Measure, Question, Row};
use crate::saving::{self, Save};
use crate::socket::{Socket, packed};
use crate::statistics::median;
use crate::yardstick::KEY;
use anyhow::Result;
use std::time::Instant;

const fn question(name: &'static str, path: &'static str) -> Question {
    let yardstick = "one XADD round trip, raw socket";
    Question { name, path, yardstick, unit: "µs", measure: Measure::Price, floor: 2.0, aim: 1.2 }
}

/// The rows that are updated.
const ROWS: usize = 1000;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    const UPDATE: Save = Save::Update { rows: ROWS };
    let mut rows = Vec::new();
    for (backend, save, question) in [
        (
            Backend::Postgres,
            UPDATE,
            question("one_save_postgres", "one save a transaction, time added: update, PostgreSQL"),
        ),
        (
            Backend::Postgres,
            Save::Insert,
            question(
                "one_insert_postgres",
                "one save a transaction, time added: insert with a generated key, PostgreSQL",
            ),
        ),
        (Backend::Sqlite, UPDATE, question("one_save_sqlite", "one save a transaction, time added: update, SQLite")),
        (
            Backend::Sqlite,
            Save::Insert,
            question("one_insert_sqlite", "one save a transaction, time added: insert with a generated key, SQLite"),
        ),
    ] {
        rows.push(question.answer(&added(place, backend, save, 1, 300).await?));
    }
    Ok(rows)
}

/// The median time added a save, in microseconds, beside the median round trip. All three in turns, so often a round.
pub(crate) async fn added(place: &Place, backend: Backend, save: Save, saves: usize, often: usize) -> Result<Rounds> {
    let redstream = place.fresh().await?;
    let database = Database::new(place, backend, &redstream).await?;
    if let Save::Update { rows } = save {
        database.fill(rows).await?;
    }
    let mut rounds = Rounds::default();
    let (rounds_wanted, port) = (place.rounds(), place.redis_port());
    // In a task, as an application's handlers are.
    let measuring = tokio::spawn(async move {
        let xadd = packed(&["XADD", KEY, "*", "payload", SAMPLE]);
        let mut socket = Socket::connect(port).await?;
        let mut from = 0;
        for _ in 0..rounds_wanted {
            let (mut plain, mut streamed, mut trips) = (Vec::new(), Vec::new(), Vec::new());
            let mut cost = crate::cost::Cost::default();
            for _ in 0..often {
                from += saves;
                plain.push(saving::plain(&database, save, saves, from).await?.as_secs_f64() * 1e6);
                let meter = Meter::start();
                streamed.push(saving::streamed(&database, save, saves, from).await?.as_secs_f64() * 1e6);
                let spent = meter.per(saves * often);
                cost.allocations += spent.allocations;
                cost.cpu_us += spent.cpu_us;
                let begun = Instant::now();
                socket.round_trip(&xadd, 2).await?;
                trips.push(begun.elapsed().as_secs_f64() * 1e6);
            }
            rounds.add((median(streamed) - median(plain)) / saves as f64, median(trips), Some(cost));
        }
        anyhow::Ok(rounds)
    });
    measuring.await?
}
