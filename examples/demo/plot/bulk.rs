//! `update_many` through bulk, in both forms.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::ensure;
use indicatif::ProgressBar;
use redstream_seaorm::{Bulk, BulkExt as _, StreamedConnection};
use sea_orm::sea_query::IntoCondition;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::{Play, grouped, time};
use crate::city;

impl Play<'_> {
    pub(super) async fn update_in_bulk(&mut self, cities: &[city::Model]) -> anyhow::Result<()> {
        let (largest, second) = largest_countries(cities);
        self.by_query(&largest).await?;
        self.by_records(&second).await
    }

    /// The query form: finds the keys itself, batch by batch.
    async fn by_query(&mut self, country: &str) -> anyhow::Result<()> {
        let start = Instant::now();
        let bar = self.screen.spinner(format!("update of all cities of {country}"));
        let updated = touch(&self.db, city::Column::Country.eq(country), &bar).await?;
        let took = start.elapsed();
        drop(bar);
        let later = self.caught_up().await?;
        let line = format!(
            "{} cities of {country} updated by a query: {}; searchable {} later",
            grouped(updated),
            time(took),
            time(later)
        );
        self.tell("bulk update", line);
        Ok(())
    }

    /// The classic form: the records are loaded.
    async fn by_records(&mut self, country: &str) -> anyhow::Result<()> {
        let found = city::Entity::find()
            .filter(city::Column::Country.eq(country))
            .limit(1000)
            .all(&self.stage.database)
            .await?;
        let ids: Vec<i64> = found.iter().map(|city| city.id).collect();
        let start = Instant::now();
        let producer = self.stage.redstream.producer();
        producer
            .bulk(&self.db, &found, async |txn| {
                city::Entity::update_many()
                    .col_expr(city::Column::Revision, city::one_more())
                    .filter(city::Column::Id.is_in(ids.iter().copied()))
                    .exec(txn)
                    .await
            })
            .await?;
        let took = start.elapsed();
        let later = self.caught_up().await?;
        for city in found.iter().take(3) {
            let revision = self.found(city.id).await?.map(|city| city.revision);
            ensure!(revision == Some(city.revision + 1), "the search does not find {} as it was updated", city.name);
        }
        let line = format!(
            "{} cities of {country} updated by their records: {}; searchable {} later",
            grouped(found.len()),
            time(took),
            time(later)
        );
        self.tell("", line);
        Ok(())
    }
}

/// Updates all cities of a condition: the query form of bulk, which selects the keys itself, batch by
/// batch, and never holds them all. Returns how many there were.
pub(super) async fn touch(
    db: &StreamedConnection,
    which: impl IntoCondition,
    bar: &ProgressBar,
) -> anyhow::Result<u64> {
    let (bar, what) = (bar.clone(), bar.message());
    let bulk = Bulk::<city::Entity>::new()
        .filter(which)
        .on_progress(move |rows| bar.set_message(format!("{what}: {} rows", grouped(rows))));
    Ok(bulk.update_many(db, |update| update.col_expr(city::Column::Revision, city::one_more())).await?)
}

/// The countries of most cities; the same twice if there is only one.
fn largest_countries(cities: &[city::Model]) -> (String, String) {
    let mut sizes: HashMap<&str, usize> = HashMap::new();
    for city in cities {
        *sizes.entry(&city.country).or_default() += 1;
    }
    let mut countries: Vec<_> = sizes.into_iter().collect();
    countries.sort_by_key(|(country, size)| (std::cmp::Reverse(*size), *country));
    let name = |rank: usize| {
        countries.get(rank).or(countries.first()).map_or_else(String::new, |(name, _)| (*name).to_owned())
    };
    (name(0), name(1))
}
