//! One schedule, from its first process to its verdict.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use tokio::time::{Instant, sleep, timeout};

use crate::checks;
use crate::connect::connected;
use crate::faults;
use crate::keys::Keys;
use crate::kind::Kind;
use crate::older;
use crate::processes::Process;
use crate::schedule::Schedule;
use crate::search::state::Search;
use crate::search::{keeper, watch};
use crate::shared::Shared;
use crate::stage::Stage;
use crate::verdict::Breach;

/// How long there may be no progress after the faults while there is work left.
const SOON: Duration = Duration::from_secs(20);

/// How long all work may take after the faults.
const ALL: Duration = Duration::from_secs(90);

/// The same with a search index, whose operator has several steps to do one after the other.
const ALL_STEPS: Duration = Duration::from_secs(300);

/// How often a message of a healthy key is added, if some are poisoned.
const HEALTHY_EACH: Duration = Duration::from_millis(700);

/// How long processes may take to stop.
const GRACE: Duration = Duration::from_secs(6);

/// The result of a schedule.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) drawn: (Kind, Keys),
    pub(crate) writes: usize,
    pub(crate) crashes: u64,
    /// With a search index: how many steps of its plan are done, and the points at which its operator was killed.
    pub(crate) search: Option<(usize, Vec<String>)>,
    pub(crate) breaches: Vec<(Breach, String)>,
    pub(crate) log: String,
}

/// Runs the schedule of that seed.
pub(crate) async fn run(seed: u64, shared: &Shared) -> Result<Outcome> {
    play(seed, shared).await.with_context(|| format!("schedule {seed} did not come to a verdict"))
}

async fn play(seed: u64, shared: &Shared) -> Result<Outcome> {
    let stage = Stage::set(Schedule::draw(seed), shared).await?;
    let processes = Process::cast(&stage).await?;
    let mut kept = tokio::task::JoinSet::new();
    for process in &processes {
        if process.is_operator() {
            kept.spawn(keeper::keep(process.clone(), processes.clone(), stage.clone()));
        } else {
            kept.spawn(process.clone().keep(stage.clone()));
        }
    }
    if let Some(ms) = stage.schedule.older_joins_ms {
        let stage = stage.clone();
        kept.spawn(async move {
            older::join(stage, Duration::from_millis(ms)).await;
            Ok(())
        });
    }
    let watch = watch::begin(&stage);
    faults::cause(&stage, &processes).await?;
    until_idle(&stage, &processes).await?;
    drop(watch);
    end(&stage, &processes, kept).await?;
    let mut redis = connected(stage.redis_port).await?;
    let writes = checks::history(&stage, &mut redis).await?;
    stage.breaches.log(&stage.log);
    let outcome = Outcome {
        seed,
        drawn: (stage.schedule.kind, stage.schedule.keys),
        writes,
        crashes: stage.crashes.load(Ordering::Relaxed),
        search: stage.search.as_ref().map(|search| (search.done(), search.killed_at())),
        breaches: stage.breaches.all(),
        log: stage.log.text(),
    };
    drop(processes);
    stage.strike().await?;
    Ok(outcome)
}

async fn until_idle(stage: &Stage, processes: &[Arc<Process>]) -> Result<()> {
    let (begun, mut moved) = (Instant::now(), Instant::now());
    let mut offsets = stage.monitor.offsets();
    let mut last_step = None;
    let mut connection = connected(stage.redis_port).await?;
    let mut last_healthy = Instant::now();
    let all = if stage.search.is_some() { ALL_STEPS } else { ALL };
    loop {
        let mut left = Vec::new();
        for writer in processes.iter().filter(|process| process.is_writing()) {
            left.push((Breach::NotIdle, format!("{} writes", writer.part.name)));
        }
        let step = stage.search.as_ref().and_then(Search::at_hand);
        left.extend(step.map(|step| (Breach::NotIdle, format!("the operator is at step {step} of its plan"))));
        if left.is_empty() && !stage.schedule.poison.is_empty() && last_healthy.elapsed() > HEALTHY_EACH {
            last_healthy = Instant::now();
            // A consumer that has seen nothing but poison cannot distinguish it from an outage until another message
            // arrives.
            let _: Result<String, _> = checks::healthy(stage, &mut connection).await;
        }
        if left.is_empty() {
            left = match checks::left(stage, &mut connection).await {
                Ok(left) => left,
                Err(error) => {
                    // A trap may have killed Redis at the last moment.
                    connection = connected(stage.redis_port).await?;
                    vec![(Breach::NotIdle, format!("{error:#}"))]
                }
            };
        }
        if left.is_empty() {
            stage.log.add("harness", "all is idle");
            return Ok(());
        }
        let now = stage.monitor.offsets();
        if (&now, step) != (&offsets, last_step) {
            (offsets, last_step, moved) = (now, step, Instant::now());
        }
        if moved.elapsed() > SOON || begun.elapsed() > all {
            let left: Vec<_> = left.into_iter().map(|(_, what)| what).collect();
            stage.breaches.add(Breach::NotIdle, left.join("; "));
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn end(stage: &Stage, processes: &[Arc<Process>], mut kept: tokio::task::JoinSet<Result<()>>) -> Result<()> {
    stage.ending.store(true, Ordering::SeqCst);
    for process in processes {
        process.signal(Signal::CONT);
        process.stop().await;
    }
    let all = async {
        while let Some(ended) = kept.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    };
    if let Ok(ended) = timeout(GRACE, all).await {
        return ended;
    }
    stage.breaches.add(Breach::NotIdle, format!("processes did not stop within {GRACE:?}"));
    kept.abort_all();
    Ok(())
}
