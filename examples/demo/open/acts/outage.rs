//! Redis is killed with SIGKILL, and started again some seconds later.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::time::sleep;

use super::super::app::App;
use super::super::board::Tone;
use super::super::look;
use super::compare;
use crate::eventually::eventually;
use crate::screen::time;

/// How long it is away.
const AWAY: u64 = 8;
/// How long the outbox may take to be empty afterwards.
const EMPTY: Duration = Duration::from_secs(60);

pub(super) async fn stop_redis(app: &App) -> anyhow::Result<()> {
    let redis = app.redis.as_ref().context("this Redis is not the demo's: stop it yourself")?;
    redis.kill().await.context("cannot kill Redis")?;
    app.board.change(|state| {
        state.is_redis_stopped = true;
        (state.counts.lag, state.counts.delayed) = (None, None);
    });
    let line = "Redis killed by SIGKILL. Save something: the outbox in the database insures it, and nothing fails";
    app.board.say(Tone::Bad, line);
    for left in (1..=AWAY).rev() {
        app.board.busy(format!("Redis is away for {left} s more: save something meanwhile"));
        sleep(Duration::from_secs(1)).await;
    }
    let insured = look::outbox(app).await?;
    redis.restart().await.context("cannot start Redis again")?;
    let back = Instant::now();
    app.board.change(|state| state.is_redis_stopped = false);
    app.board.say(Tone::Note, format!("Redis is back, with its append-only file. Changes in the outbox: {insured}"));
    app.board.busy("the outbox is emptied, and the index catches up");
    eventually("the outbox is empty", EMPTY, async || Ok((look::outbox(app).await? == 0).then_some(()))).await?;
    compare::caught_up(app).await?;
    let line = format!("the index has caught up {} after Redis came back: nothing is lost", time(back.elapsed()));
    app.board.say(Tone::Good, line);
    Ok(())
}
