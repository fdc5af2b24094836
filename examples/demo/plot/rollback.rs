//! A rollback, which must leave no trace in the index.

use anyhow::ensure;
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, IntoActiveModel as _, TransactionTrait as _};

use super::Play;
use crate::city;

/// A revision that no committed row has.
const NEVER: i64 = -1;

impl Play<'_> {
    /// Inserts one city and updates another, and rolls both back.
    pub(super) async fn roll_back(&mut self, cities: &[city::Model], new: &city::Model) -> anyhow::Result<()> {
        let Some(old) = cities.last() else { return Ok(()) };
        let hits = self.hits(&new.name).await?;

        let txn = self.db.begin().await?;
        new.clone().into_active_model().reset_all().insert(&txn).await?;
        city::ActiveModel { revision: Set(NEVER), ..old.clone().into_active_model() }.update(&txn).await?;
        txn.rollback().await?;

        let line = format!("“{}” was inserted, “{}” updated, both rolled back", new.name, old.name);
        self.tell("rollback", line);
        self.no_trace(new, old, hits).await?;
        // The delay messages that the transaction sent are still delivered, and make consumers read the rows again.
        self.quiet().await?;
        self.no_trace(new, old, hits).await?;
        self.tell("", "no trace of it in the index, neither at once nor after its delay messages came");
        Ok(())
    }

    async fn no_trace(&self, new: &city::Model, old: &city::Model, hits: u64) -> anyhow::Result<()> {
        ensure!(self.found(new.id).await?.is_none(), "the search finds {}, whose insert was rolled back", new.name);
        ensure!(self.hits(&new.name).await? == hits, "the search finds more of the name {} than before", new.name);
        let revision = self.found(old.id).await?.map(|city| city.revision);
        ensure!(revision != Some(NEVER), "the search finds {} as an update left it that was rolled back", old.name);
        Ok(())
    }
}
