//! What the buttons do: one at a time. Each ends with a line in the log.

mod bypass;
mod compare;
mod kill;
mod outage;
mod rollback;

use std::sync::Arc;

use anyhow::ensure;
use serde::Deserialize;
use tokio::sync::OwnedMutexGuard;

pub(super) use self::compare::every_row;
use super::app::App;
use super::board::Tone;
use crate::in_words;

/// A button, and what it is about.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Act {
    /// Kills this worker in the middle of a batch.
    Kill(usize),
    /// Kills Redis, and starts it again some seconds later.
    StopRedis,
    /// Changes this city and inserts another, and rolls both back.
    RollBack(i64),
    /// Changes these cities by SQL, which Redstream does not see.
    Bypass(Vec<i64>),
    Verify,
    Repair,
    Reindex,
}

/// Begins it. Its end is seen on the board.
pub(super) fn begin(app: &Arc<App>, act: Act) -> anyhow::Result<()> {
    ensure!(app.redis.is_some() || !matches!(act, Act::StopRedis), "this Redis is not the demo's: stop it yourself");
    let acting = app.acting.clone().try_lock_owned();
    let busy = || app.board.read(|state| state.busy.clone()).unwrap_or_default();
    let acting = acting.map_err(|_| anyhow::anyhow!("wait for the end of: {}", busy()))?;
    app.spawn(perform(app.clone(), act, acting));
    Ok(())
}

async fn perform(app: Arc<App>, act: Act, acting: OwnedMutexGuard<()>) {
    let ended = match act {
        Act::Kill(who) => Box::pin(kill::kill(&app, who)).await,
        Act::StopRedis => outage::stop_redis(&app).await,
        Act::RollBack(id) => rollback::roll_back(&app, id).await,
        Act::Bypass(ids) => bypass::write(&app, &ids).await,
        Act::Verify => Box::pin(compare::verify(&app, false)).await,
        Act::Repair => Box::pin(compare::verify(&app, true)).await,
        Act::Reindex => compare::reindex(&app).await,
    };
    if let Err(error) = ended {
        app.board.say(Tone::Bad, in_words(&error));
    }
    app.board.change(|state| state.busy = None);
    drop(acting);
}
