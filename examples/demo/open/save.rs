//! A save, as any application makes it, and how soon a search finds it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _, TransactionTrait as _};
use serde::Deserialize;

use super::app::App;
use super::board::{Save, Tone};
use crate::city;
use crate::eventually::eventually;
use crate::screen::time;

/// The longest text of a field, in bytes.
const LONGEST: usize = 200;
/// How long a save may take to be found, over an outage of Redis and a worker that is killed.
const FOUND: Duration = Duration::from_secs(120);

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(super) struct Edit {
    name: String,
    admin1: String,
    admin2: String,
}

impl Edit {
    fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.name.trim().is_empty(), "a city has a name");
        let is_short = [&self.name, &self.admin1, &self.admin2].iter().all(|text| text.len() <= LONGEST);
        ensure!(is_short, "no field may be longer than {LONGEST} bytes");
        Ok(())
    }
}

/// Saves, and returns as soon as the transaction is committed.
pub(super) async fn save(app: &Arc<App>, id: i64, edit: Edit) -> anyhow::Result<Save> {
    edit.check()?;
    let begun = Instant::now();
    let txn = app.db.begin().await?;
    let city = city::Entity::find_by_id(id).one(&txn).await?.context("there is no city of this id")?;
    let revision = city.revision + 1;
    let city = city::ActiveModel {
        name: Set(edit.name),
        admin1: Set(edit.admin1),
        admin2: Set(edit.admin2),
        revision: Set(revision),
        ..city.into_active_model()
    };
    let city = city.update(&txn).await?;
    txn.commit().await?;
    let save = Save { id, revision, commit_ms: millis(begun.elapsed()), searchable_ms: None };
    app.board.saved(save);
    app.spawn(watch(app.clone(), city, save, Instant::now()));
    Ok(save)
}

/// Waits until the index has it.
async fn watch(app: Arc<App>, city: city::Model, save: Save, committed: Instant) {
    let found = eventually("the search finds it", FOUND, async || {
        let there = app.finder.city(city.id).await?;
        Ok(there.filter(|there| there.revision >= city.revision))
    });
    match found.await {
        Ok(_) => {
            let took = committed.elapsed();
            app.board.saved(Save { searchable_ms: Some(millis(took)), ..save });
            let line = format!("“{}” saved in {} ms, and found {} later", city.name, save.commit_ms, time(took));
            app.board.say(Tone::Good, line);
        }
        Err(error) => app.board.say(Tone::Bad, format!("“{}” was saved: {error:#}", city.name)),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
