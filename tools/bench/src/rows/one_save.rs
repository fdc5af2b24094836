//! One save per transaction: the cost of insurance and announcement.

use crate::cost::{Cost, Meter};
use crate::database::{Backend, Database};
use crate::fill;
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

const fn in_background(name: &'static str, path: &'static str, floor: f64, aim: f64) -> Question {
    Question { floor, aim, ..question(name, path) }
}

/// The rows that are updated.
const ROWS: usize = 1000;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    const UPDATE: Save = Save::Update { rows: ROWS };
    const POSTGRES: Saving = Saving { backend: Backend::Postgres, save: UPDATE, saves: 1, in_background: false };
    const SQLITE: Saving = Saving { backend: Backend::Sqlite, ..POSTGRES };
    let mut rows = Vec::new();
    for (saving, question) in [
        (POSTGRES, question("one_save_postgres", "one save a transaction, time added: update, PostgreSQL")),
        (
            Saving { save: Save::Insert, ..POSTGRES },
            question(
                "one_insert_postgres",
                "one save a transaction, time added: insert with a generated key, PostgreSQL",
            ),
        ),
        (
            Saving { in_background: true, ..POSTGRES },
            in_background(
                "one_save_postgres_background",
                "one save a transaction, announced in the background, time added: update, PostgreSQL",
                0.7,
                0.3,
            ),
        ),
        (SQLITE, question("one_save_sqlite", "one save a transaction, time added: update, SQLite")),
        (
            Saving { save: Save::Insert, ..SQLITE },
            question("one_insert_sqlite", "one save a transaction, time added: insert with a generated key, SQLite"),
        ),
        (
            Saving { in_background: true, ..SQLITE },
            in_background(
                "one_save_sqlite_background",
                "one save a transaction, announced in the background, time added: update, SQLite",
                1.5,
                1.0,
            ),
        ),
    ] {
        rows.push(question.answer(&added(place, saving, 300).await?));
    }
    Ok(rows)
}

/// The kind of save.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Saving {
    pub(crate) backend: Backend,
    pub(crate) save: Save,
    /// A transaction.
    pub(crate) saves: usize,
    /// The commit does not wait for its main messages.
    pub(crate) in_background: bool,
}

/// The median time added per save, in microseconds, and the median round trip. All are measured in turns, several times
/// a round: the added time is the difference of two consecutive transactions, so that a change in the machine's speed
/// affects both.
///
/// A round trip follows each transaction: during that time the pool tests the returned connection, which must not be
/// charged to the next transaction.
pub(crate) async fn added(place: &Place, saving: Saving, often: usize) -> Result<Rounds> {
    let Saving { backend, save, saves, in_background } = saving;
    let redstream = place.fresh().await?;
    fill::readers(&redstream.stream("cities")?).await?;
    let mut database = Database::new(place, backend, &redstream).await?;
    database.streamed = database.streamed.to_builder().announce_in_background(in_background).build();
    if let Save::Update { rows } = save {
        database.fill(rows).await?;
    }
    let mut rounds = Rounds::default();
    let (rounds_wanted, port) = (place.rounds(), place.redis_port());
    // In a task, like an application's handlers.
    let measuring = tokio::spawn(async move {
        let xadd = packed(&["XADD", KEY, "*", "payload", SAMPLE]);
        let mut socket = Socket::connect(port).await?;
        let mut from = 0;
        for _ in 0..rounds_wanted {
            let (mut added, mut trips, mut cost) = (Vec::new(), Vec::new(), Cost::default());
            for nth in 0..often {
                from += saves;
                let (mut plain, mut streamed) = (0.0, 0.0);
                // Each of the two is first equally often.
                for is_plain in [nth % 2 == 0, nth % 2 == 1] {
                    if is_plain {
                        plain = saving::plain(&database, save, saves, from).await?.as_secs_f64();
                    } else {
                        let meter = Meter::start();
                        streamed = saving::streamed(&database, save, saves, from).await?.as_secs_f64();
                        cost += meter.per(saves * often);
                    }
                    trips.push(trip(&mut socket, &xadd).await?);
                }
                added.push((streamed - plain) * 1e6);
            }
            rounds.add(median(added) / saves as f64, median(trips), Some(cost));
        }
        anyhow::Ok(rounds)
    });
    measuring.await?
}

/// In microseconds.
async fn trip(socket: &mut Socket, xadd: &[u8]) -> Result<f64> {
    let begun = Instant::now();
    socket.round_trip(xadd, 2).await?;
    Ok(begun.elapsed().as_secs_f64() * 1e6)
}
