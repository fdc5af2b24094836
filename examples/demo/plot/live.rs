//! Live changes: inserts, updates and deletes by SeaORM's own methods, several per transaction.

use std::time::Instant;

use anyhow::ensure;
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, IntoActiveModel as _, ModelTrait as _, TransactionTrait as _};

use super::{Play, grouped, time};
use crate::city;

/// Changes per transaction.
const CHANGES: usize = 10;

/// One change of one city.
enum Change {
    Insert(city::Model),
    Update(city::Model),
    Delete(city::Model),
}

impl Play<'_> {
    pub(super) async fn change_live(&mut self, cities: &[city::Model], new: Vec<city::Model>) -> anyhow::Result<()> {
        let inserts = new.len();
        let updates = (cities.len() / 10).clamp(1, 1000);
        let deletes = (cities.len() / 50).clamp(1, 200);
        let changes = mixed(cities, new, updates, deletes);
        let (last, transactions) = (last_insert(&changes), changes.len().div_ceil(CHANGES));

        let start = Instant::now();
        let bar = self.screen.bar("live changes", changes.len());
        let mut changes = changes.into_iter().peekable();
        while changes.peek().is_some() {
            let txn = self.db.begin().await?;
            for change in changes.by_ref().take(CHANGES) {
                match change {
                    Change::Insert(city) => _ = city.into_active_model().reset_all().insert(&txn).await?,
                    Change::Update(city) => {
                        let revision = Set(city.revision + 1);
                        city::ActiveModel { revision, ..city.into_active_model() }.update(&txn).await?;
                    }
                    Change::Delete(city) => _ = city.delete(&txn).await?,
                }
                bar.inc(1);
            }
            txn.commit().await?;
        }
        let took = start.elapsed();
        drop(bar);
        let later = self.caught_up().await?;
        if let Some(city) = last {
            ensure!(self.found(city.id).await? == Some(city), "the search does not find what was inserted last");
        }
        let line = format!(
            "{inserts} inserts, {} updates, {deletes} deletes in {transactions} transactions: {}; searchable {} later",
            grouped(updates),
            time(took),
            time(later)
        );
        self.tell("live changes", line);
        Ok(())
    }
}

/// Changes all over the data, each kind of them spread over the whole time.
fn mixed(cities: &[city::Model], new: Vec<city::Model>, updates: usize, deletes: usize) -> Vec<Change> {
    let stride = cities.len() / (updates + deletes);
    let mut chosen = cities.iter().step_by(stride.max(1)).cloned();
    let kinds: [Vec<Change>; 3] = [
        new.into_iter().map(Change::Insert).collect(),
        chosen.by_ref().take(deletes).map(Change::Delete).collect(),
        chosen.take(updates).map(Change::Update).collect(),
    ];
    let mut timed: Vec<(usize, Change)> = Vec::new();
    for kind in kinds {
        let each = 1_000_000 / kind.len().max(1);
        timed.extend(kind.into_iter().enumerate().map(|(i, change)| (i * each, change)));
    }
    timed.sort_by_key(|(time, _)| *time);
    timed.into_iter().map(|(_, change)| change).collect()
}

fn last_insert(changes: &[Change]) -> Option<city::Model> {
    changes.iter().rev().find_map(|change| match change {
        Change::Insert(city) => Some(city.clone()),
        _ => None,
    })
}
