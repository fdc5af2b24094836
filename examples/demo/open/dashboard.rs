//! The dashboard beside the page, as any application mounts it.

use std::sync::Arc;

use redstream_seaorm::{ReindexProgress, VerifyReport};
use redstream_web::{Dashboard, TaskRun};

use super::acts;
use super::app::App;
use crate::search::Extent;

/// All actions are allowed: the demo is private to this machine.
pub(super) fn of(app: &Arc<App>) -> Dashboard {
    let dashboard = Dashboard::new(app.redstream.clone())
        .allow_actions(|_, _| Some("you".to_owned()))
        .only_hosts::<[String; 0]>([])
        .shutdown(app.end.clone());
    let indexed = app.clone();
    let dashboard = dashboard.task("Reindex the cities", move |run: TaskRun| {
        let app = indexed.clone();
        async move {
            let (shown, end) = (run.clone(), run.shutdown());
            let tell = move |at: &ReindexProgress| shown.progress(at.queued, at.estimate, at);
            let report = acts::every_row(&app).on_progress(tell).run(end).await?;
            Ok(format!("{report:?}"))
        }
    });
    let compared = app.clone();
    dashboard.task("Verify and repair the cities", move |run: TaskRun| {
        let app = compared.clone();
        async move {
            let (shown, end) = (run.clone(), run.shutdown());
            let tell = move |at: &VerifyReport| shown.progress(at.compared, at.estimate, at);
            let extent = Extent { rows: None, repair: true };
            let report = app.site.search.verify(&app.redstream, &app.database, extent, tell, end).await?;
            Ok(report.to_string())
        }
    })
}
