//! Compares the datastores with the primary database.

use std::collections::BTreeMap;
use std::fmt;

use sea_orm::EntityTrait as _;

use crate::item;
use crate::site::Site;

/// How they differ, both datastores taken together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    rows: usize,
    /// Rows that a datastore does not have.
    lost: usize,
    /// Rows that a datastore has with another value.
    stale: usize,
    /// Rows that a datastore has and the primary database does not have.
    extra: usize,
}

impl Comparison {
    pub(crate) async fn make(site: &Site) -> anyhow::Result<Self> {
        let rows = item::Entity::find().all(&site.database().await?).await?;
        let rows: BTreeMap<i64, i64> = rows.into_iter().map(|row| (row.id, row.value)).collect();
        let mut comparison = Self { rows: rows.len(), ..Self::default() };
        comparison.add(&rows, &site.reports().await?.items().await?);
        comparison.add(&rows, &site.cache().await?.items().await?);
        Ok(comparison)
    }

    pub(crate) fn is_equal(&self) -> bool {
        self.lost + self.stale + self.extra == 0
    }

    fn add(&mut self, rows: &BTreeMap<i64, i64>, copies: &BTreeMap<i64, i64>) {
        self.lost += rows.keys().filter(|id| !copies.contains_key(id)).count();
        self.stale += rows.iter().filter(|(id, value)| copies.get(id).is_some_and(|copy| copy != *value)).count();
        self.extra += copies.keys().filter(|id| !rows.contains_key(id)).count();
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, lost, stale, extra } = self;
        write!(f, "rows={rows} lost={lost} stale={stale} extra={extra}")
    }
}

#[cfg(test)]
mod tests {
    use super::Comparison;
    use std::collections::BTreeMap;

    #[test]
    fn whatever_differs_is_counted() {
        let mut comparison = Comparison::default();
        comparison.add(&BTreeMap::from([(1, 10), (2, 20), (3, 30)]), &BTreeMap::from([(2, 20), (3, 31), (4, 40)]));
        assert_eq!(comparison, Comparison { rows: 0, lost: 1, stale: 1, extra: 1 });
        assert!(!comparison.is_equal());
    }
}
