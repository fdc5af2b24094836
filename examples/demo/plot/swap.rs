//! A new index takes the place of the old one, under searches and writes.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use sea_orm::ColumnTrait as _;
use tokio::time::sleep;

use super::bulk::touch;
use super::{Play, eventually, grouped, time};
use crate::city;
use crate::search::Search;
use crate::site::Generation;

/// How long the consumer of the old index may take to be seen as stopped.
const RETIRED: Duration = Duration::from_secs(30);

/// How often rows are updated meanwhile, and the time in between.
const WRITES: usize = 10;
const PAUSE: Duration = Duration::from_millis(100);

impl Play<'_> {
    /// Fills an index whose documents have a label more, and has searches use it. Meanwhile rows are updated and
    /// searches go on.
    pub(super) async fn swap(&mut self, cities: &[city::Model]) -> anyhow::Result<()> {
        let Search::Server(server) = &self.stage.site.search else {
            bail!("only the index of a server is replaced: name one by --search-url");
        };
        self.quiet().await?;
        let rows = server.count().await?;
        let some = &cities[cities.len() / 2];
        let label = format!("{}, {}", some.name, some.country);
        ensure!(server.labels(&label).await? == 0, "the old index has labels already");
        let old_workers = std::mem::take(&mut self.workers);
        for _ in 0..2 {
            self.hire_worker(Generation::Second).await?;
        }

        let start = Instant::now();
        let bar = self.screen.spinner("the new index is filled");
        let is_done = Cell::new(false);
        let write = async {
            let mut updated = 0;
            let silent = indicatif::ProgressBar::hidden();
            // Not until the end: a row that never rests can never be compared with its document.
            for _ in 0..WRITES {
                let some = city::Column::Id.lte(cities[cities.len().min(500) - 1].id);
                updated += touch(&self.db, some, &silent).await?;
                sleep(PAUSE).await;
            }
            anyhow::Ok(updated)
        };
        let search = async {
            let mut searches = 0_u64;
            while !is_done.get() {
                let found = server.count().await?;
                ensure!(found == rows, "a search found {found} cities during the swap, and there are {rows}");
                searches += 1;
                sleep(Duration::from_millis(5)).await;
            }
            Ok(searches)
        };
        let progress = bar.clone();
        let swap = async {
            let tell = move |line| progress.set_message(line);
            let report = server.use_second(&self.stage.redstream, &self.stage.database, tell).await;
            is_done.set(true);
            report
        };
        let (updated, searches, report) = tokio::try_join!(write, search, swap)?;
        drop(bar);
        ensure!(report.is_switched, "the searches do not use the new index: {report:?}");
        self.consumer = Generation::Second.consumer();
        self.tell("swap", format!("a new index with a label more took over after {}", time(start.elapsed())));
        let line = format!(
            "{} rows were updated and {} searches made meanwhile; each found all {} cities",
            grouped(updated),
            grouped(searches),
            grouped(rows)
        );
        self.tell("", line);
        ensure!(server.labels(&label).await? > 0, "no search finds the label {label}");

        for worker in old_workers {
            self.crew.stop(worker).await?;
        }
        eventually("the old consumer and its index are removed", RETIRED, async || {
            let report = server.use_second(&self.stage.redstream, &self.stage.database, |_| ()).await?;
            Ok(report.is_retired.then_some(()))
        })
        .await?;
        self.tell("", "the workers of the old index were stopped, and its consumer forgotten");
        Ok(())
    }
}
