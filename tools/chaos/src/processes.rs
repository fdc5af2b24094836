//! The processes of a schedule: started, observed, killed, and restarted.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use redstream_processes::{Input, Line, Process as Child};
use redstream_proxy::{Proxy, ProxyOptions};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use crate::calm::CALM;
use crate::place::Place;
use crate::schedule::Part;
use crate::site::Site;
use crate::stage::Stage;
use crate::verdict::Breach;
use crate::words::{Act, Job, Role, Word};

/// The time between the end of a process and its restart.
const PAUSE: Duration = Duration::from_millis(30);

/// One part, in its current run.
pub(crate) struct Process {
    pub(crate) part: Part,
    pub(crate) proxy: Proxy,
    now: Mutex<Now>,
    input: tokio::sync::Mutex<Option<Input>>,
}

/// The state of the current run.
#[derive(Default)]
struct Now {
    pid: Option<Pid>,
    /// The search indices that it writes, if it is told of any; known before it is started.
    written: Option<Vec<u8>>,
    /// The batch that each consumer's handler is handling.
    handling: HashMap<String, String>,
    done: bool,
}

impl Process {
    /// All parts of a schedule, each behind a proxy of its own; none runs yet.
    pub(crate) async fn cast(stage: &Stage) -> Result<Vec<Arc<Self>>> {
        let mut processes = Vec::new();
        for part in stage.schedule.cast.iter().cloned() {
            let proxy = ProxyOptions::new(stage.redis_port).while_open(stage.open.clone());
            // A Cluster's nodes tell their clients the address to connect to.
            let proxy = proxy.rename_ports(stage.schedule.place == Place::Cluster).start().await?;
            let (now, input) = (Mutex::default(), tokio::sync::Mutex::default());
            processes.push(Arc::new(Self { part, proxy, now, input }));
        }
        Ok(processes)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.now().pid {
            // It may have ended by itself a moment ago.
            let _ = kill_process(pid, signal);
        }
    }

    /// Disarms its trap.
    pub(crate) async fn calm(&self) {
        if self.is_operator() {
            return;
        }
        if let Some(input) = &mut *self.input.lock().await {
            // It may have ended by itself a moment ago.
            let _ = input.tell(CALM).await;
        }
    }

    /// Stops it as SIGTERM stops a service.
    pub(crate) async fn stop(&self) {
        self.input.lock().await.take();
    }

    /// Whether it is a writer that has not finished.
    pub(crate) fn is_writing(&self) -> bool {
        matches!(self.part.role, Role::Writer { .. }) && self.now().pid.is_some()
    }

    /// Its kills go on when the faults are over.
    pub(crate) fn is_operator(&self) -> bool {
        self.part.role == Role::Operator
    }

    /// Whether it runs, or is about to, and writes other indices than these.
    pub(crate) fn writes_others_than(&self, indices: &[u8]) -> bool {
        self.now().written.as_ref().is_some_and(|written| written != indices)
    }

    fn site(&self, stage: &Stage) -> Site {
        // While it is held, this process is not taken for one that has not been started.
        let mut now = self.now();
        let site = stage.site(&self.proxy);
        now.written = site.search.as_ref().map(|search| search.written().to_vec());
        site
    }

    fn now(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs it repeatedly, until the schedule ends, or a writer is done.
    pub(crate) async fn keep(self: Arc<Self>, stage: Arc<Stage>) -> Result<()> {
        for life in 0.. {
            self.live(&stage, life).await?;
            if self.now().done || stage.ending.load(Ordering::SeqCst) {
                break;
            }
            if matches!(self.part.role, Role::Writer { .. }) && stage.calm.load(Ordering::SeqCst) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            if stage.ending.load(Ordering::SeqCst) {
                break;
            }
        }
        Ok(())
    }

    /// One life, from the start of the process to its end.
    pub(crate) async fn live(&self, stage: &Arc<Stage>, life: u32) -> Result<()> {
        let name = &self.part.name;
        let trap = self.part.traps.get(life as usize).cloned().flatten();
        let calm = stage.calm.load(Ordering::SeqCst) && !self.is_operator();
        stage.log.add(name, &format!("life {life} begins, trap: {trap:?}"));
        let job = Job { role: self.part.role.clone(), site: self.site(stage), life, trap, calm };
        let mut command = Command::new(&stage.program);
        command
            .arg("child")
            // Only the defect `local-clock` reads it.
            .env("REDSTREAM_CLOCK_SKEW_MS", self.part.skew_ms.to_string())
            .stderr(Stdio::piped());
        let (mut child, mut reports) = Child::start(&mut command, &job).await?;
        let input = child.take_input();
        // If the schedule ends from now on, the input is there to be closed; if it ended just before, the process is
        // stopped here.
        let mut slot = self.input.lock().await;
        *slot = input.filter(|_| !stage.ending.load(Ordering::SeqCst));
        drop(slot);
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        {
            let mut now = self.now();
            *now = Now { pid, written: now.written.take(), ..Now::default() };
        }
        let mut errors = child.take_errors().context("a child has no error output")?;
        tokio::join!(
            async {
                while let Some(line) = reports.next_line().await {
                    match line {
                        Line::Report(word) => self.hear(stage, word),
                        Line::Other(text) => stage.log.add(name, &text),
                    }
                }
            },
            async {
                while let Ok(Some(line)) = errors.next_line().await {
                    stage.log.add(name, &line);
                }
            },
        );
        let status = child.ended().await?;
        {
            let mut now = self.now();
            (now.pid, now.written) = (None, None);
        }
        self.input.lock().await.take();
        stage.log.add(name, &format!("life {life} ends: {status}"));
        if status.signal() == Some(Signal::KILL.as_raw()) {
            stage.crashes.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn hear(&self, stage: &Arc<Stage>, word: Word) {
        let name = &self.part.name;
        match word {
            Word::Crossed(point) => stage.log.add(name, &point),
            Word::Trapped { point, act } => {
                stage.log.add(name, &format!("TRAP at {point}: {act:?}"));
                if let Some(search) = stage.search.as_ref().filter(|_| self.is_operator()) {
                    search.stopped_at(point, act);
                }
                match (act, self.now().pid) {
                    (Act::Stop(ms), Some(pid)) => continue_later(pid, ms),
                    (Act::KillRedis(ms), _) => stage.clone().kill_redis_soon(ms),
                    _ => {}
                }
            }
            Word::Wrote(written) => {
                stage.log.add(name, &format!("{written:?}"));
                stage.written.lock().unwrap_or_else(PoisonError::into_inner).push(written);
            }
            Word::Handling { consumer, first, last, len } => {
                let batch = format!("{len} messages, {first} to {last}");
                stage.log.add(name, &format!("{consumer} handles {batch}"));
                if let Some(other) = self.now().handling.insert(consumer.clone(), batch.clone()) {
                    let what = format!("{name}: {consumer} handles {batch} while it handles {other}");
                    stage.breaches.add(Breach::Reordered, what);
                }
            }
            Word::Handled { consumer, outcome, too_soon } => {
                stage.log.add(name, &format!("{consumer} {outcome}"));
                let batch = self.now().handling.remove(&consumer);
                if too_soon {
                    stage
                        .breaches
                        .add(Breach::CutOff, format!("{name}: {consumer} was at {}", batch.unwrap_or_default()));
                }
            }
            Word::Panicked(what) => stage.breaches.add(Breach::Panicked, format!("{name}: {what}")),
            Word::Step(step) => {
                if let Some(search) = &stage.search {
                    search.is_done(step);
                }
            }
            Word::Wrong(what) => stage.breaches.add(Breach::Swap, format!("{name}: {what}")),
            Word::Done => self.now().done = true,
        }
    }
}

fn continue_later(pid: Pid, ms: u64) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        // It may have been killed meanwhile.
        let _ = kill_process(pid, Signal::CONT);
    });
}
