//! The verification: every row with its document, and every document with its row.

use redstream_seaorm::{CancellationToken, VerifyReport};

use super::{Play, grouped};
use crate::search::Extent;

impl Play<'_> {
    /// Waits until no message is in flight, and compares everything.
    pub(super) async fn verify(&mut self) -> anyhow::Result<VerifyReport> {
        self.quiet().await?;
        let Self { stage, screen, .. } = self;
        let bar = screen.spinner("the index is verified");
        let shown = bar.clone();
        let tell = move |report: &VerifyReport| shown.set_message(format!("the index is verified: {report}"));
        let report = stage
            .site
            .search
            .verify(&stage.redstream, &stage.database, Extent::all(), tell, CancellationToken::new())
            .await?;
        drop(bar);
        self.tell("verify", format!("{} rows compared with their documents", grouped(report.compared)));
        Ok(report)
    }
}
