//! Several tasks that save at the same time, a row a transaction.

use crate::cost::{Cost, Meter};
use crate::database::{Backend, Database};
use crate::fill;
use crate::place::Place;
use crate::rounds::{Rounds, in_turns};
use crate::row::{Measure, Question, Row};
use crate::saving::{self, Save};
use anyhow::Result;
use std::sync::Arc;
use std::time::Instant;

const fn question(name: &'static str, path: &'static str, floor: f64, aim: f64) -> Question {
    let yardstick = "plain SeaORM, the same tasks and pool";
    Question { name, path, yardstick, unit: "saves/s", measure: Measure::Rate, floor, aim }
}

/// As many connections as an application with two cores would have.
const POOL: u32 = 16;

const OF_64: Question = question("savers_postgres_64", "64 tasks that save, PostgreSQL", 0.75, 0.9);

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (backend, tasks, question) in [
        (Backend::Postgres, 1, question("saver_postgres", "1 task that saves, PostgreSQL", 0.6, 0.8)),
        (Backend::Postgres, 8, question("savers_postgres_8", "8 tasks that save, PostgreSQL", 0.7, 0.9)),
        (Backend::Postgres, 64, OF_64),
        (Backend::Sqlite, 1, question("saver_sqlite", "1 task that saves, SQLite", 0.5, 0.7)),
        (Backend::Sqlite, 8, question("savers_sqlite_8", "8 tasks that save, SQLite", 0.5, 0.8)),
    ] {
        rows.push(question.answer(&savers(place, backend, tasks).await?));
    }
    Ok(rows)
}

pub(crate) async fn of_64_tasks(place: &Place) -> Result<Row> {
    Ok(OF_64.answer(&savers(place, Backend::Postgres, 64).await?))
}

/// Saves a second, on PostgreSQL.
pub(crate) async fn ours(place: &Place, tasks: usize) -> Result<f64> {
    let database = filled(place, Backend::Postgres).await?;
    Ok(rate(&database, tasks, place.scaled(8_000).div_ceil(tasks), true).await?.0)
}

async fn savers(place: &Place, backend: Backend, tasks: usize) -> Result<Rounds> {
    let database = filled(place, backend).await?;
    let saves = place.scaled(8_000).div_ceil(tasks);
    let limit = async || Ok(rate(&database, tasks, saves, false).await?.0);
    let ours = async || rate(&database, tasks, saves, true).await.map(|(rate, cost)| (rate, Some(cost)));
    in_turns(place.rounds(), limit, ours).await
}

/// A database with rows to save.
pub(crate) async fn filled(place: &Place, backend: Backend) -> Result<Arc<Database>> {
    let redstream = place.fresh().await?;
    fill::readers(&redstream.stream("cities")?).await?;
    // SQLite has one writer: more connections would only wait for its lock.
    let pool = if backend == Backend::Sqlite { 1 } else { POOL };
    let database = Arc::new(Database::with_pool(place, backend, &redstream, pool).await?);
    database.fill(ROWS).await?;
    Ok(database)
}

pub(crate) const ROWS: usize = 10_000;

/// Saves a second, each task its own rows.
async fn rate(database: &Arc<Database>, tasks: usize, saves: usize, is_streamed: bool) -> Result<(f64, Cost)> {
    let (meter, begun) = (Meter::start(), Instant::now());
    let savers: Vec<_> = (0..tasks)
        .map(|task| {
            let (database, own) = (database.clone(), ROWS / tasks);
            tokio::spawn(async move {
                for n in 0..saves {
                    let row = task * own + n % own;
                    if is_streamed {
                        saving::streamed(&database, SAVE, 1, row).await?;
                    } else {
                        saving::plain(&database, SAVE, 1, row).await?;
                    }
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for saver in savers {
        saver.await??;
    }
    let all = tasks * saves;
    Ok((all as f64 / begun.elapsed().as_secs_f64(), meter.per(all)))
}

const SAVE: Save = Save::Update { rows: ROWS };
