//! A rollback, which must leave no trace in the index.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _, IntoActiveModel as _, TransactionTrait as _};
use tokio::time::sleep;

use super::super::app::App;
use super::super::board::Tone;
use super::compare;
use crate::city;
use crate::screen::time;
use crate::site::DELAY;

/// The id of a city that is inserted, which the data does not have.
const NEW: i64 = 1_000_000_000;
/// A revision that no committed row has.
const NEVER: i64 = -1;
/// The delayer comes so much later.
const LATER: Duration = Duration::from_secs(1);

pub(super) async fn roll_back(app: &App, id: i64) -> anyhow::Result<()> {
    let old = city::Entity::find_by_id(id).one(&app.database).await?.context("there is no city of this id")?;
    app.board.busy("a transaction is rolled back");
    let new = city::Model { id: NEW, name: "Rolled Back".to_owned(), ..old.clone() };
    let txn = app.db.begin().await?;
    new.into_active_model().reset_all().insert(&txn).await?;
    city::ActiveModel { revision: Set(NEVER), ..old.clone().into_active_model() }.update(&txn).await?;
    txn.rollback().await?;
    let line = format!("a city was inserted, “{}” was updated, and both were rolled back", old.name);
    app.board.say(Tone::Note, line);
    no_trace(app, id).await?;
    // The delay messages that it has sent are delivered nevertheless, and make the consumer read the rows again.
    app.board.busy(format!("its delay messages come after {}, and have the rows read again", time(DELAY)));
    sleep(DELAY + LATER).await;
    compare::caught_up(app).await?;
    no_trace(app, id).await?;
    let line = "no trace of it in the index, neither at once nor after its delay messages have come";
    app.board.say(Tone::Good, line);
    Ok(())
}

async fn no_trace(app: &App, id: i64) -> anyhow::Result<()> {
    ensure!(app.finder.city(NEW).await?.is_none(), "the search finds a city whose insert was rolled back");
    let revision = app.finder.city(id).await?.map(|city| city.revision);
    ensure!(revision != Some(NEVER), "the search finds a city as an update left it that was rolled back");
    Ok(())
}
