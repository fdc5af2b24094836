//! The comparison: every row with its document, and every document with its row.

use std::fmt;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::{Play, grouped};
use crate::city;

/// Rows read per query.
const PAGE: u64 = 5000;

/// The result of the comparison.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Comparison {
    rows: usize,
    documents: usize,
    /// Rows without a document.
    missing: usize,
    /// Documents that differ from their row, in any field.
    stale: usize,
    /// Documents without a row.
    extra: usize,
}

impl Comparison {
    /// Whether both stores have the same cities.
    pub(crate) fn is_equal(&self) -> bool {
        self.missing + self.stale + self.extra == 0 && self.rows == self.documents
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, documents, missing, stale, extra } = self;
        write!(f, "rows={rows} documents={documents} missing={missing} stale={stale} extra={extra}")
    }
}

impl Play<'_> {
    /// Waits until no message is in flight, and compares everything.
    pub(super) async fn compare(&mut self) -> anyhow::Result<Comparison> {
        self.quiet().await?;
        let index = self.stage.site.search().look()?;
        let mut documents = index.cities()?;
        let mut comparison = Comparison { documents: documents.len(), ..Comparison::default() };
        let bar = self.screen.bar("rows compared", documents.len());
        let mut after = i64::MIN;
        loop {
            let page = city::Entity::find()
                .filter(city::Column::Id.gt(after))
                .order_by_asc(city::Column::Id)
                .limit(PAGE)
                .all(&self.stage.database)
                .await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            bar.inc(page.len() as u64);
            comparison.rows += page.len();
            for row in page {
                match documents.remove(&row.id).map(|address| index.read(address)).transpose()? {
                    None => comparison.missing += 1,
                    Some(document) if document.as_ref() != Some(&row) => comparison.stale += 1,
                    Some(_) => {}
                }
            }
        }
        comparison.extra = documents.len();
        self.tell(
            "comparison",
            format!("{} rows compared with their documents, field by field", grouped(comparison.rows)),
        );
        Ok(comparison)
    }
}
