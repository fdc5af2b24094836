//! The worker at work is killed with SIGKILL during a batch; the standby takes over.

use std::time::Duration;

use anyhow::bail;
use sea_orm::ColumnTrait as _;

use super::bulk::touch;
use super::{Play, grouped, time};
use crate::children::{Crew, Report};
use crate::city;
use crate::site::{Generation, LOCK_TTL};

/// A batch takes milliseconds, so a kill may come too late. Then another worker is killed.
const ATTEMPTS: usize = 5;
/// This many cities are updated meanwhile.
const CITIES: usize = 5000;

/// How a worker ended.
struct Killed {
    who: usize,
    pid: String,
    /// How many messages it was handling; `None` if it was killed between two batches.
    batch: Option<usize>,
    takeover: Duration,
}

impl Play<'_> {
    pub(super) async fn kill_a_worker(&mut self, cities: &[city::Model]) -> anyhow::Result<()> {
        for _ in 0..ATTEMPTS {
            let killed = self.kill_one(cities).await?;
            self.workers.retain(|worker| *worker != killed.who);
            self.hire_worker(Generation::First).await?;
            if let Some(batch) = killed.batch {
                let line = format!("process {} killed in the middle of a batch of {}", killed.pid, grouped(batch));
                self.tell("SIGKILL", line);
                let line =
                    format!("the standby took over after {} (locks last {})", time(killed.takeover), time(LOCK_TTL));
                self.tell("", line);
                self.caught_up().await?;
                return Ok(());
            }
        }
        bail!("no worker was hit in the middle of a batch, in {ATTEMPTS} attempts")
    }

    /// Changes cities, and kills the worker that writes them to the index.
    async fn kill_one(&mut self, cities: &[city::Model]) -> anyhow::Result<Killed> {
        self.quiet().await?;
        self.crew.ignore_old_news();
        let bar = self.screen.spinner("an update, meanwhile a worker is killed and its standby waits for the lock");
        let up_to = cities.get(CITIES).or(cities.last()).map_or(0, |city| city.id);
        // The first batch often has only one message, so it is over too quickly.
        let least = if cities.len() > 100 { 2 } else { 1 };
        let update = touch(&self.db, city::Column::Id.lte(up_to), &bar);
        let (_, killed) = tokio::try_join!(update, kill_in_a_batch(self.crew, least))?;
        drop(bar);
        Ok(killed)
    }
}

/// Kills the worker that handles the next batch of at least this many messages.
async fn kill_in_a_batch(crew: &mut Crew, least: usize) -> anyhow::Result<Killed> {
    let (active, mut batch) = loop {
        let news = crew.news("a worker that handles a batch").await?;
        if let Report::Handling(messages) = news.report
            && messages >= least
        {
            break (news.who, Some(messages));
        }
    };
    let pid = crew.pid(active);
    let killed = crew.kill(active)?;
    // What it reported before it died is still in the pipe.
    let (mut gone, mut successor) = (false, None);
    loop {
        let news = crew.news("a standby that takes over").await?;
        match (news.who == active, news.report) {
            (true, Report::Handling(messages)) => batch = Some(messages),
            (true, Report::Handled) => batch = None,
            (true, Report::Gone) => gone = true,
            (false, Report::Handling(_)) => successor = successor.or(Some(news.at)),
            _ => {}
        }
        match successor {
            Some(at) if gone => return Ok(Killed { who: active, pid, batch, takeover: at.duration_since(killed) }),
            // There may be no batch left to take over.
            None if gone && batch.is_none() => return Ok(Killed { who: active, pid, batch, takeover: Duration::ZERO }),
            _ => {}
        }
    }
}
