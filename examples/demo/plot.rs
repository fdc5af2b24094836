//! The steps of the demo. Each step checks its result.

mod bulk;
mod comparison;
mod live;
mod load;
mod repair;
mod rollback;
mod takeover;

use std::time::{Duration, Instant};

use redstream_seaorm::StreamedConnection;

pub(crate) use comparison::Comparison;

use crate::children::{Crew, Job, Report};
use crate::city;
use crate::data;
use crate::eventually::eventually;
use crate::screen::{Screen, grouped, time};
use crate::site::{CONSUMER, DELAY, LOCK_TTL, streamed};
use crate::stage::Stage;

/// The longest that the index may take to catch up: it takes seconds.
const CATCH_UP: Duration = Duration::from_secs(120);

/// The state that every step uses.
struct Play<'a> {
    stage: &'a Stage,
    crew: &'a mut Crew,
    screen: &'a Screen,
    /// The primary database, written through Redstream.
    db: StreamedConnection,
}

/// Runs all steps and compares both stores. `limit`: how many cities there are.
pub(crate) async fn play(stage: &Stage, crew: &mut Crew, screen: &Screen, limit: usize) -> anyhow::Result<Comparison> {
    let start = Instant::now();
    stage.create_table().await?;
    let db = streamed(stage.database.clone(), &stage.redstream);
    let mut play = Play { stage, crew, screen, db };
    let mut cities = data::cities(limit)?;
    screen.say(format_args!(
        "{} cities, from a database to a search index. Delay messages wait {}, locks last {}.",
        grouped(cities.len()),
        time(DELAY),
        time(LOCK_TTL),
    ));

    // Some cities are reserved: one for the crash, the rest for the live inserts.
    let mut later = cities.split_off(cities.len() - (cities.len() / 20).clamp(2, 500));
    let last = later.split_off(later.len() - 1).remove(0);

    play.hire_workers().await?;
    play.load(&cities).await?;
    play.change_live(&cities, later).await?;
    play.roll_back(&cities, &last).await?;
    play.update_in_bulk(&cities).await?;
    play.kill_a_worker(&cities).await?;
    play.kill_a_writer(&last).await?;
    let comparison = play.compare().await?;
    screen.tell("done", format_args!("in {}", time(start.elapsed())));
    Ok(comparison)
}

impl Play<'_> {
    /// One to work, one to stand by.
    async fn hire_workers(&mut self) -> anyhow::Result<()> {
        for _ in 0..2 {
            self.hire_worker().await?;
        }
        self.tell("workers", "two processes run: one works, the other stands by");
        Ok(())
    }

    async fn hire_worker(&mut self) -> anyhow::Result<()> {
        let worker = self.crew.hire(&Job::Worker(self.stage.site.clone())).await?;
        self.crew.hear(worker, Report::Ready, "a worker process that is ready").await?;
        Ok(())
    }

    fn tell(&self, step: &str, line: impl std::fmt::Display) {
        self.screen.tell(step, line);
    }

    /// Waits until the index has seen every main message, and returns how long that took.
    async fn caught_up(&mut self) -> anyhow::Result<Duration> {
        let start = Instant::now();
        let bar = self.screen.spinner("the index catches up");
        eventually("the index catches up", CATCH_UP, async || {
            let lag = self.stage.stream.lag(CONSUMER).await?;
            bar.set_message(format!("the index catches up: {} changes behind", grouped(lag)));
            Ok((lag == 0).then_some(()))
        })
        .await?;
        Ok(start.elapsed())
    }

    /// Waits until no delay message is left either, so that from here on nothing changes by itself.
    async fn quiet(&mut self) -> anyhow::Result<()> {
        let bar = self.screen.spinner("the delay messages come");
        eventually("the delay messages come", CATCH_UP, async || {
            let delayed = self.stage.stream.delay_len().await?;
            bar.set_message(format!("the delay messages come: {} to go", grouped(delayed)));
            Ok((delayed == 0).then_some(()))
        })
        .await?;
        drop(bar);
        self.caught_up().await?;
        Ok(())
    }

    /// What the search finds of a city right now.
    fn found(&self, id: i64) -> anyhow::Result<Option<city::Model>> {
        Ok(self.stage.site.search().look()?.city(id)?)
    }

    /// How many cities of this name the search finds right now.
    fn hits(&self, name: &str) -> anyhow::Result<usize> {
        Ok(self.stage.site.search().look()?.hits(name)?)
    }
}
