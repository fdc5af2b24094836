//! Starts the operator again and again, and deploys the hosts for each of its steps.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value as Json;
use tokio::time::sleep;

use crate::item::STREAM;
use crate::processes::Process;
use crate::search::index;
use crate::search::plan::Act;
use crate::search::rows;
use crate::search::state::Search;
use crate::stage::Stage;
use crate::verdict::Breach;
use crate::words::Role;

/// The time between the end of a life and the next one, and between two looks at the hosts.
const PAUSE: Duration = Duration::from_millis(30);

/// Runs the operator until all steps are done, or the schedule ends.
pub(crate) async fn keep(operator: Arc<Process>, processes: Vec<Arc<Process>>, stage: Arc<Stage>) -> Result<()> {
    let search = stage.search.as_ref().context("there is no search index")?;
    for life in 0.. {
        let Some(step) = search.at_hand() else { break };
        deploy(search, &processes, &stage).await;
        // What is announced before a life, that life's swap must not leave out.
        let row = search.plan.settled + life as usize;
        rows::add(search, &stage.primary, row..row + 1).await?;
        if stage.ending.load(Ordering::SeqCst) {
            break;
        }
        operator.live(&stage, life).await?;
        if stage.ending.load(Ordering::SeqCst) {
            break;
        }
        if search.at_hand() != Some(step) {
            stage.log.add("harness", &format!("the operator has done {:?}", search.plan.steps[step]));
            after(search, step, &stage).await?;
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Has the hosts run the consumers that the step at hand needs, and no others.
async fn deploy(search: &Search, processes: &[Arc<Process>], stage: &Stage) {
    let site = search.site();
    let others = || {
        let is_host = |process: &&Arc<Process>| matches!(process.part.role, Role::Workers { .. });
        processes.iter().filter(is_host).filter(|host| host.writes_others_than(site.written()))
    };
    while others().next().is_some() && !stage.ending.load(Ordering::SeqCst) {
        for host in others() {
            host.stop().await;
        }
        sleep(PAUSE).await;
    }
}

/// What must hold when a step is done, before the next one.
async fn after(search: &Search, step: usize, stage: &Stage) -> Result<()> {
    let breach = |what: String| stage.breaches.add(Breach::Swap, what);
    let expected: Vec<String> =
        search.plan.in_use(step + 1).map(|nth| index::name(&search.alias, nth)).into_iter().collect();
    let in_use = search.in_use().await?;
    if in_use != expected {
        breach(format!("the alias is at {in_use:?} and not at {expected:?} after {:?}", search.plan.steps[step]));
    }
    match search.plan.steps[step].act {
        Act::Reindex { .. } => {
            search.ask("POST", &format!("{}/_refresh", search.alias), &Json::Null).await?;
        }
        Act::Abort { to } => {
            let (status, _) = search.ask("GET", &index::name(&search.alias, to), &Json::Null).await?;
            if status != 404 {
                breach(format!("index {to} is there after it was aborted"));
            }
            forgotten(search, to, stage).await?;
        }
        Act::Retire { replaces, .. } => forgotten(search, replaces, stage).await?,
        Act::Swap { .. } | Act::Attempt { .. } => {}
    }
    if search.plan.in_use(step + 1).is_some() {
        search.is_filled.store(true, Ordering::SeqCst);
    }
    Ok(())
}

async fn forgotten(search: &Search, nth: u8, stage: &Stage) -> Result<()> {
    let stream = search.redstream.stream(STREAM)?;
    let consumers = loop {
        match stream.consumers().await {
            Ok(consumers) => break consumers,
            // Redis may be down for a while.
            Err(error) if stage.ending.load(Ordering::SeqCst) => return Err(error.into()),
            Err(_) => sleep(PAUSE).await,
        }
    };
    if consumers.iter().any(|name| name == index::consumer(nth)) {
        stage.breaches.add(Breach::Swap, format!("consumer {} is not forgotten", index::consumer(nth)));
    }
    Ok(())
}
