//! A bulk update of many rows.

use crate::city::{self, streamed};
use crate::cost::Meter;
use crate::database::{Backend, Database};
use crate::fill;
use crate::place::Place;
use crate::product;
use crate::rounds::in_turns;
use crate::row::{Measure, Question, Row};
use anyhow::{Result, ensure};
use redstream_seaorm::{Bulk, Streamed};
use sea_orm::sea_query::{Condition, Expr, IntoCondition};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, ExprTrait, QueryFilter, TransactionTrait};
use std::time::Instant;

const fn question(name: &'static str, path: &'static str, floor: f64, aim: f64) -> Question {
    let yardstick = "plain `update_many` in the same batches";
    Question { name, path, yardstick, unit: "ms", measure: Measure::Price, floor, aim }
}

const POSTGRES: Question = question("bulk_postgres", "bulk over 100,000 rows, PostgreSQL", 1.5, 1.3);
const SQLITE: Question = question("bulk_sqlite", "bulk over 100,000 rows, SQLite, integer keys", 3.5, 2.5);
const SQLITE_TEXT: Question = question("bulk_sqlite_text", "bulk over 100,000 rows, SQLite, text keys", 8.0, 6.0);

const BATCH: usize = 1000;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let count = place.scaled(100_000);
    let mut rows = Vec::new();
    for (backend, question) in [(Backend::Postgres, POSTGRES), (Backend::Sqlite, SQLITE)] {
        let database = database(place, backend, "cities").await?;
        database.fill(count).await?;
        let batch = |first: usize, last: usize| city::Column::Id.between(first as u64, last as u64).into_condition();
        let visits = (city::Column::Visits, streamed::Column::Visits);
        rows.push(row::<city::Entity, streamed::Entity>(place, &database, question, count, visits, batch).await?);
    }
    let database = database(place, Backend::Sqlite, "products").await?;
    product::fill(&database.plain, count).await?;
    let batch = |first, last| product::Column::Code.between(product::code(first), product::code(last)).into_condition();
    let visits = (product::Column::Visits, product::streamed::Column::Visits);
    let row = row::<product::Entity, product::streamed::Entity>(place, &database, SQLITE_TEXT, count, visits, batch);
    rows.push(row.await?);
    Ok(rows)
}

async fn database(place: &Place, backend: Backend, stream: &str) -> Result<Database> {
    let redstream = place.fresh().await?;
    fill::readers(&redstream.stream(stream)?).await?;
    Database::new(place, backend, &redstream).await
}

/// `P` and `S` are one table, plain and streamed; `batch`: the rows with these numbers.
async fn row<P: EntityTrait, S: Streamed>(
    place: &Place,
    database: &Database,
    question: Question,
    count: usize,
    visits: (P::Column, S::Column),
    batch: fn(usize, usize) -> Condition,
) -> Result<Row> {
    let (plain_visits, visits) = visits;
    let limit = async || {
        let begun = Instant::now();
        let plain = database.plain.clone();
        tokio::spawn(async move { update_plainly::<P>(&plain, count, plain_visits, batch).await }).await??;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    };
    let ours = async || {
        let (meter, begun) = (Meter::start(), Instant::now());
        let db = database.streamed.clone();
        let updating = tokio::spawn(async move {
            let more = Expr::col(visits).add(1);
            Bulk::<S>::new().update_many(&db, |set| set.col_expr(visits, more)).await
        });
        let updated = updating.await??;
        ensure!(updated == count as u64, "{updated} of {count} rows were updated");
        Ok((begun.elapsed().as_secs_f64() * 1e3, Some(meter.per(count))))
    };
    Ok(question.answer(&in_turns(place.rounds(), limit, ours).await?))
}

/// Each batch in a transaction of its own.
async fn update_plainly<P: EntityTrait>(
    db: &DatabaseConnection,
    count: usize,
    visits: P::Column,
    batch: fn(usize, usize) -> Condition,
) -> Result<()> {
    let mut updated = 0;
    for first in (1..=count).step_by(BATCH) {
        let transaction = db.begin().await?;
        let update = P::update_many().col_expr(visits, Expr::col(visits).add(1));
        updated += update.filter(batch(first, first + BATCH - 1)).exec(&transaction).await?.rows_affected;
        transaction.commit().await?;
    }
    ensure!(updated == count as u64, "{updated} of {count} rows were updated");
    Ok(())
}
