//! A bulk update of many rows.

use crate::city::{self, streamed};
use crate::cost::Meter;
use crate::database::{Backend, Database};
use crate::place::Place;
use crate::rounds::in_turns;
use crate::row::{Measure, Question, Row};
use anyhow::{Result, ensure};
use redstream_seaorm::Bulk;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, ExprTrait, QueryFilter, TransactionTrait};
use std::time::Instant;

const fn question(name: &'static str, path: &'static str) -> Question {
    let yardstick = "plain `update_many` in the same batches";
    Question { name, path, yardstick, unit: "ms", measure: Measure::Price, floor: 1.5, aim: 1.2 }
}

const BATCH: usize = 1000;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (backend, question) in [
        (Backend::Postgres, question("bulk_postgres", "bulk over 100,000 rows, PostgreSQL")),
        (Backend::Sqlite, question("bulk_sqlite", "bulk over 100,000 rows, SQLite")),
    ] {
        rows.push(row(place, backend, question).await?);
    }
    Ok(rows)
}

async fn row(place: &Place, backend: Backend, question: Question) -> Result<Row> {
    let count = place.scaled(100_000);
    let redstream = place.fresh().await?;
    let database = Database::new(place, backend, &redstream).await?;
    database.fill(count).await?;
    let limit = async || {
        let begun = Instant::now();
        let plain = database.plain.clone();
        tokio::spawn(async move { update_plainly(&plain, count).await }).await??;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    };
    let ours = async || {
        let (meter, begun) = (Meter::start(), Instant::now());
        let db = database.streamed.clone();
        let updating = tokio::spawn(async move {
            let more = Expr::col(streamed::Column::Visits).add(1);
            Bulk::<streamed::Entity>::new().update_many(&db, |set| set.col_expr(streamed::Column::Visits, more)).await
        });
        let updated = updating.await??;
        ensure!(updated == count as u64, "{updated} of {count} rows were updated");
        Ok((begun.elapsed().as_secs_f64() * 1e3, Some(meter.per(count))))
    };
    Ok(question.answer(&in_turns(place.rounds(), limit, ours).await?))
}

/// Each batch in a transaction of its own.
async fn update_plainly(db: &DatabaseConnection, count: usize) -> Result<()> {
    let mut updated = 0;
    for first in (1..=count).step_by(BATCH) {
        let (first, last) = (i64::try_from(first)?, i64::try_from(first + BATCH - 1)?);
        let transaction = db.begin().await?;
        let more = Expr::col(city::Column::Visits).add(1);
        let update = city::Entity::update_many().col_expr(city::Column::Visits, more);
        updated += update.filter(city::Column::Id.between(first, last)).exec(&transaction).await?.rows_affected;
        transaction.commit().await?;
    }
    ensure!(updated == count as u64, "{updated} of {count} rows were updated");
    Ok(())
}
