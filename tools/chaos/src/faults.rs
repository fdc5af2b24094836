//! Causes the faults of a schedule at their times.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;
use tokio::time::{Instant, sleep, sleep_until};

use crate::processes::Process;
use crate::schedule::Fault;
use crate::sink::Weather;
use crate::stage::Stage;

/// Causes all faults of the schedule, each at its time, and then ends them all.
pub(crate) async fn cause(stage: &Arc<Stage>, processes: &[Arc<Process>]) -> Result<()> {
    let begun = Instant::now();
    let mut under_way = tokio::task::JoinSet::new();
    for (at, fault) in stage.schedule.faults.clone() {
        sleep_until(begun + Duration::from_millis(at)).await;
        let (stage, processes) = (stage.clone(), processes.to_vec());
        under_way.spawn(async move { one(&stage, &processes, fault).await });
    }
    sleep_until(begun + Duration::from_millis(stage.schedule.calm_at)).await;
    stage.log.add("harness", "the faults end");
    stage.calm.store(true, Ordering::SeqCst);
    for process in processes {
        process.calm().await;
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    for proxy in processes.iter().map(|process| &process.proxy).chain(stage.search.as_ref().map(|search| &search.proxy))
    {
        proxy.heal();
    }
    Ok(())
}

async fn one(stage: &Stage, processes: &[Arc<Process>], fault: Fault) -> Result<()> {
    let name = |at: usize| &processes[at].part.name;
    match fault {
        Fault::Kill(at) => {
            stage.log.add("harness", &format!("{} is killed", name(at)));
            processes[at].signal(Signal::KILL);
        }
        Fault::Stop(at, ms) => {
            stage.log.add("harness", &format!("{} is stopped for {ms} ms", name(at)));
            processes[at].signal(Signal::STOP);
            sleep(Duration::from_millis(ms)).await;
            processes[at].signal(Signal::CONT);
        }
        Fault::Restart(at) => {
            stage.log.add("harness", &format!("{} is told to stop", name(at)));
            processes[at].stop().await;
        }
        Fault::Terminate(at) => {
            stage.log.add("harness", &format!("{} is told to stop by SIGTERM", name(at)));
            processes[at].signal(Signal::TERM);
        }
        Fault::KillRedis(ms) => stage.kill_redis(ms).await?,
        Fault::StartWithoutRedis(at, ms) => {
            stage.log.add("harness", &format!("{} is killed, and starts without Redis", name(at)));
            processes[at].signal(Signal::KILL);
            stage.kill_redis(ms).await?;
        }
        Fault::FullRedis(ms) => stage.fill_redis(ms).await?,
        Fault::OpenSlot(ms) => stage.open_slot(ms).await?,
        Fault::PauseRedis(ms) => stage.pause_redis(ms).await?,
        Fault::Network(at, fault) => {
            stage.log.add("harness", &format!("{} and the network: {fault:?}", name(at)));
            fault.strike(&processes[at].proxy);
        }
        Fault::Weather(weather, ms) => {
            stage.log.add("harness", &format!("the datastore, for {ms} ms: {weather:?}"));
            stage.datastore.set(weather);
            sleep(Duration::from_millis(ms)).await;
            stage.datastore.set(Weather::Fair);
        }
        Fault::SearchOutage(ms) => {
            let Some(search) = &stage.search else { return Ok(()) };
            stage.log.add("harness", &format!("the search server is unreachable for {ms} ms"));
            search.open.store(false, Ordering::SeqCst);
            search.proxy.cut();
            sleep(Duration::from_millis(ms)).await;
            search.open.store(true, Ordering::SeqCst);
        }
        Fault::SearchNetwork(fault) => {
            let Some(search) = &stage.search else { return Ok(()) };
            stage.log.add("harness", &format!("the search server and the network: {fault:?}"));
            fault.strike(&search.proxy);
        }
    }
    Ok(())
}
