//! The steps of the demo. Each step checks its result.

mod bulk;
mod live;
mod load;
mod repair;
mod rollback;
#[cfg(feature = "opensearch")]
mod swap;
mod takeover;
mod verification;

use std::time::{Duration, Instant};

use redstream_seaorm::{StreamedConnection, VerifyReport};

use crate::children::{Crew, Job, Report};
use crate::city;
use crate::data;
use crate::eventually::eventually;
use crate::screen::{Screen, grouped, time};
use crate::site::{DELAY, Generation, LOCK_TTL, streamed};
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
    /// The consumer of the index that is searched.
    consumer: &'static str,
    /// The worker processes that should run.
    workers: Vec<usize>,
}

/// What to play.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    /// How many cities there are at most.
    pub(crate) limit: usize,
    /// Whether the index is replaced by another one.
    pub(crate) swap: bool,
}

/// Runs all steps and verifies the index.
pub(crate) async fn play(
    stage: &Stage,
    crew: &mut Crew,
    screen: &Screen,
    program: Program,
) -> anyhow::Result<VerifyReport> {
    let start = Instant::now();
    stage.create_table().await?;
    let db = streamed(stage.database.clone(), &stage.redstream);
    let consumer = Generation::First.consumer();
    let mut play = Play { stage, crew, screen, db, consumer, workers: Vec::new() };
    let mut cities = data::cities(program.limit)?;
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
    if program.swap {
        #[cfg(feature = "opensearch")]
        Box::pin(play.swap(&cities)).await?;
    }
    let report = play.verify().await?;
    screen.tell("done", format_args!("in {}", time(start.elapsed())));
    Ok(report)
}

impl Play<'_> {
    /// One to work, one to stand by.
    async fn hire_workers(&mut self) -> anyhow::Result<()> {
        for _ in 0..2 {
            self.hire_worker(Generation::First).await?;
        }
        self.stage.site.search.begin(&self.stage.redstream, &self.stage.database).await?;
        self.tell("workers", "two processes run: one works, the other stands by");
        Ok(())
    }

    async fn hire_worker(&mut self, generation: Generation) -> anyhow::Result<()> {
        let worker = self.crew.hire(&Job::Worker(self.stage.site.clone(), generation)).await?;
        self.crew.hear(worker, Report::Ready, "a worker process that is ready").await?;
        self.workers.push(worker);
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
            let lag = self.stage.stream.lag(self.consumer).await?;
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
    async fn found(&self, id: i64) -> anyhow::Result<Option<city::Model>> {
        self.stage.site.search.city(id).await
    }

    /// How many cities of this name the search finds right now.
    async fn hits(&self, name: &str) -> anyhow::Result<u64> {
        self.stage.site.search.hits(name).await
    }
}
