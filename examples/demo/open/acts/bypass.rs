//! A write past Redstream: by `psql`, or by a connection that is not streamed.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use sea_orm::{ConnectionTrait as _, DbBackend};
use tokio::process::Command;

use super::super::app::App;
use super::super::board::Tone;
use super::compare;
use crate::city;
use crate::screen::time;
use crate::site::DELAY;

/// As many cities are changed at most.
const MOST: usize = 20;
/// What the district is afterwards.
const TEXT: &str = "written past Redstream";

pub(super) async fn write(app: &App, ids: &[i64]) -> anyhow::Result<()> {
    ensure!(!ids.is_empty(), "search for something first: the first cities that are found are changed");
    ensure!(ids.len() <= MOST, "at most {MOST} cities");
    let list = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let sql = format!("UPDATE {} SET admin2 = '{TEXT}', revision = revision + 1 WHERE id IN ({list})", city::TABLE);
    // The delay messages of earlier saves have rows read once more, which would mend what is written before.
    app.board.busy(format!("delay messages of earlier saves come first, within {}", time(DELAY)));
    compare::quiet(app).await?;
    app.board.busy("rows are written past Redstream");
    let by = if app.database.get_database_backend() == DbBackend::Postgres && by_psql(app, &sql).await? {
        "psql"
    } else {
        app.database.execute_unprepared(&sql).await?;
        "a plain connection"
    };
    app.board.say(Tone::Bad, format!("by {by}, which Redstream does not see: {sql}"));
    app.board
        .say(Tone::Note, "the search still finds these rows as they were: Verify says which, and Repair mends them");
    Ok(())
}

/// `false` if there is no `psql`.
async fn by_psql(app: &App, sql: &str) -> anyhow::Result<bool> {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--no-password", "--quiet", "--set", "ON_ERROR_STOP=1", "--command", sql]);
    psql.arg(&app.site.database_url).stdin(Stdio::null()).kill_on_drop(true);
    match psql.output().await {
        Ok(output) => {
            ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr).trim());
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).context("cannot run psql"),
    }
}
