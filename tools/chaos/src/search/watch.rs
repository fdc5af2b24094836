//! Searches by the alias, all the time: each finds all rows that were there before, or the alias was never filled.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::search::plan::Act;
use crate::search::rows::VALUE;
use crate::search::state::Search;
use crate::stage::Stage;
use crate::verdict::Breach;

/// The pause between two searches.
const PAUSE: Duration = Duration::from_millis(25);

/// Begins; ends when it is dropped, and after the first search that fails.
pub(crate) fn begin(stage: &Arc<Stage>) -> AbortOnDropHandle<()> {
    let stage = stage.clone();
    AbortOnDropHandle::new(tokio::spawn(async move {
        let Some(search) = &stage.search else { return };
        loop {
            // Known before the search, which may be late.
            let is_filled = search.is_filled.load(Ordering::SeqCst);
            if let Some(what) = wrong(search, is_filled).await {
                stage.log.add("search", &what);
                stage.breaches.add(Breach::HalfFilled, what);
                return;
            }
            sleep(PAUSE).await;
        }
    }))
}

async fn wrong(search: &Search, is_filled: bool) -> Option<String> {
    let query = json!({ "query": { "prefix": { "value": VALUE } } });
    let (status, answer) = match search.ask("POST", &format!("{}/_count", search.alias), &query).await {
        Ok(answered) => answered,
        Err(error) => return Some(format!("a search failed: {error:#}")),
    };
    let expected = search.plan.settled as u64;
    match (status, answer["count"].as_u64()) {
        // An alias that a swap has made is that of a filled index, the first one too.
        (200, Some(found))
            if found < expected && (is_filled || matches!(search.plan.steps[0].act, Act::Swap { .. })) =>
        {
            Some(format!("a search found {found} of {expected} rows"))
        }
        (200, Some(_)) => None,
        (404, _) if !is_filled => None,
        _ => Some(format!("a search failed: {status} {answer}")),
    }
}
