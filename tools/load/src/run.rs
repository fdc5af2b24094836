//! The run: set up, write under restarts, let all consumers catch up, compare.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use redstream_servers::{Postgres, Redis, RedisOptions};
use sea_orm::entity::prelude::*;
use sea_orm::{Schema, Set};
use tempfile::TempDir;

use crate::comparison::Comparison;
use crate::crew::Crew;
use crate::figures::{Figures, Stretch};
use crate::item;
use crate::restarts::Restart;
use crate::sample::Sampler;
use crate::site::{DELAY, ROWS, Site};

/// How often the run is sampled.
const LOOK: Duration = Duration::from_secs(1);
/// The longest that the consumers may take in the end, the delay messages included.
const PATIENCE: Duration = Duration::from_secs(120);

/// Prints the figures. Returns whether nothing was lost and nothing grew.
pub(crate) async fn run(length: Duration, restart_every: Duration) -> anyhow::Result<bool> {
    let mut stage = tokio::task::block_in_place(Stage::set)?;
    stage.fill().await?;
    let mut crew = Crew::new(&stage.site, stage.folder.path());
    for member in crew.hosts.iter_mut().chain(&mut crew.writers) {
        member.start().await?;
    }
    let sampler = Sampler::connect(&stage.site).await?;
    let figures = tokio::select! {
        figures = under_load(&mut crew, &mut stage.redis, &sampler, length, restart_every) => figures?,
        interrupted = tokio::signal::ctrl_c() => return Err(interrupted.err().map_or_else(|| anyhow::anyhow!("stopped by ctrl-C"), Into::into)),
    };
    for writer in &mut crew.writers {
        writer.kill().await?;
    }
    until_idle(&sampler).await?;
    for host in &mut crew.hosts {
        host.stop().await?;
    }
    let (comparison, growth) = (Comparison::make(&stage.site).await?, figures.growth());
    println!("{figures}");
    for grew in &growth {
        println!("{grew}");
    }
    println!("{comparison}");
    Ok(comparison.is_equal() && growth.is_empty())
}

/// The servers and the datastores of a run; removed when it is dropped.
#[derive(Debug)]
struct Stage {
    site: Site,
    redis: Redis,
    // What the site names.
    _cache: Redis,
    _postgres: Postgres,
    folder: TempDir,
}

impl Stage {
    fn set() -> anyhow::Result<Self> {
        // No acknowledged write may be lost when it is killed.
        let redis = RedisOptions::new().append_only(true).start()?;
        let (cache, postgres) = (Redis::start()?, Postgres::start()?);
        let folder = tempfile::Builder::new().prefix("redstream-load-").tempdir().context("no temporary folder")?;
        let site = Site {
            redis_url: redis.url(),
            cache_url: cache.url(),
            database_url: postgres.create_database("load")?,
            reports: folder.path().join("reports.db"),
        };
        Ok(Self { site, redis, _cache: cache, _postgres: postgres, folder })
    }

    /// Creates the tables, and the rows through Redstream, so that the datastores get them too.
    async fn fill(&self) -> anyhow::Result<()> {
        let db = self.site.streamed().await?;
        db.execute(&Schema::new(db.get_database_backend()).create_table_from_entity(item::Entity)).await?;
        self.site.reports().await?.create().await?;
        let rows = (0..ROWS).map(|id| item::ActiveModel { id: Set(id), value: Set(0) });
        let inserted = redstream_seaorm::Bulk::<item::Entity>::new().insert_many(&db, rows).await?;
        ensure!(inserted == u64::try_from(ROWS)?, "{inserted} rows were inserted instead of {ROWS}");
        Ok(())
    }
}

async fn under_load(
    crew: &mut Crew,
    redis: &mut Redis,
    sampler: &Sampler,
    length: Duration,
    restart_every: Duration,
) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let mut restarts = Restart::in_turn();
    let end = Instant::now() + length;
    let mut begun = Instant::now();
    crew.written();
    while begun < end {
        let until = end.min(begun + restart_every);
        let mut samples = Vec::new();
        while Instant::now() < until {
            tokio::time::sleep(LOOK.min(until - Instant::now())).await;
            // Redis may just be reading its file again.
            samples.extend(sampler.take(crew).await);
        }
        let ended_by = restarts.next().filter(|_| until < end);
        if let Some(restart) = ended_by {
            eprintln!("{restart}");
            restart.happen(crew, redis).await?;
        }
        figures.add(Stretch { length: begun.elapsed(), written: crew.written(), samples, ended_by });
        begun = Instant::now();
    }
    Ok(figures)
}

/// Waits until all delay messages have become due and every consumer has committed all.
async fn until_idle(sampler: &Sampler) -> anyhow::Result<()> {
    let items = sampler.items()?;
    let patience = PATIENCE + DELAY;
    let deadline = Instant::now() + patience;
    loop {
        let (delayed, lag) = (items.delay_len().await?, sampler.lag().await?);
        if delayed + lag == 0 {
            return Ok(());
        }
        let waited = patience.as_secs();
        ensure!(Instant::now() < deadline, "after {waited} s {delayed} messages are delayed and {lag} not committed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
