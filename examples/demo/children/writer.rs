//! A writer process that dies between COMMIT and main message.

use anyhow::Context as _;
use sea_orm::{ActiveModelTrait as _, IntoActiveModel as _, TransactionTrait as _};

use super::halting::Halting;
use crate::data;
use crate::site::{Site, streamed};

/// Saves the city of this id as any application would, over a database whose transactions halt after COMMIT.
pub(super) async fn write(site: &Site, id: usize) -> anyhow::Result<()> {
    let city = data::cities(id)?.pop().context("there are no cities")?;
    let redstream = site.redstream().await?;
    let db = streamed(Halting(site.database().await?), &redstream);
    let txn = db.begin().await?;
    city.into_active_model().reset_all().insert(&txn).await?;
    txn.commit().await?;
    anyhow::bail!("the transaction did not halt after COMMIT")
}
