//! Bulk load: all cities, through the classic wrapper around `insert_many`.

use std::cell::Cell;
use std::time::Instant;

use redstream_seaorm::BulkExt as _;
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _};

use super::{Play, eventually, grouped, time};
use crate::city;
use crate::plot::CATCH_UP;

/// Rows per transaction.
const ROWS: usize = 1000;

impl Play<'_> {
    /// The keys are known before the rows are: so each thousand of rows is insured by its delay messages,
    /// inserted by one statement, and announced.
    pub(super) async fn load(&mut self, cities: &[city::Model]) -> anyhow::Result<()> {
        let start = Instant::now();
        let rows = self.screen.bar("rows in the database", cities.len());
        let documents = self.screen.bar("documents in the index", cities.len());
        let inserted = Cell::new(0_u64);
        let insert = async {
            for part in cities.chunks(ROWS) {
                let producer = self.stage.redstream.producer();
                producer
                    .bulk(&self.db, part, async |txn| {
                        let rows = part.iter().cloned().map(|city| city.into_active_model().reset_all());
                        city::Entity::insert_many(rows).exec_without_returning(txn).await
                    })
                    .await?;
                inserted.set(inserted.get() + part.len() as u64);
                rows.set_position(inserted.get());
            }
            anyhow::Ok(start.elapsed())
        };
        let follow = eventually("the index catches up with the bulk load", CATCH_UP, async || {
            // Without Redis no message arrives, so an error of Redis ends the wait.
            self.stage.stream.delay_len().await?;
            let found = self.stage.site.search.len().await?;
            documents.set_position(found);
            Ok((found == cities.len() as u64).then_some(()))
        });
        let (written, ()) = tokio::try_join!(insert, follow)?;
        let line = format!(
            "{} cities inserted in {}; all of them searchable {} later",
            grouped(cities.len()),
            time(written),
            time(start.elapsed().saturating_sub(written))
        );
        self.tell("bulk load", line);
        drop((rows, documents));
        self.quiet().await?;
        self.tell("", "its delay messages came too, and had every city read once more: harmless");
        Ok(())
    }
}
