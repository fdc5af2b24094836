//! The processes of a schedule: started, listened to, killed, and started again.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, Command};

use crate::child::CALM;
use crate::proxy::Proxy;
use crate::schedule::Part;
use crate::stage::Stage;
use crate::trap::Act;
use crate::verdict::Breach;
use crate::words::{Job, Role, Word};

/// Between the end of a process and its next life.
const PAUSE: Duration = Duration::from_millis(30);

/// One part, in whatever life it is.
pub(crate) struct Process {
    pub(crate) part: Part,
    pub(crate) proxy: Proxy,
    now: Mutex<Now>,
    input: tokio::sync::Mutex<Option<ChildStdin>>,
}

/// What is known of the present life.
#[derive(Default)]
struct Now {
    pid: Option<Pid>,
    /// The batch that each consumer's handler is at.
    handling: HashMap<String, String>,
    done: bool,
}

impl Process {
    pub(crate) fn new(part: Part, proxy: Proxy) -> Self {
        Self { part, proxy, now: Mutex::default(), input: tokio::sync::Mutex::default() }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.now().pid {
            // It may have ended by itself a moment ago.
            let _ = kill_process(pid, signal);
        }
    }

    /// Disarms its trap.
    pub(crate) async fn calm(&self) {
        if let Some(input) = &mut *self.input.lock().await {
            let _ = input.write_all(format!("{CALM}\n").as_bytes()).await;
        }
    }

    /// Tells it to stop, as SIGTERM would a service.
    pub(crate) async fn stop(&self) {
        self.input.lock().await.take();
    }

    /// Whether it is a writer that has not come to its end.
    pub(crate) fn is_writing(&self) -> bool {
        matches!(self.part.role, Role::Writer { .. }) && self.now().pid.is_some()
    }

    fn now(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Life after life, until the schedule ends, or a writer is done.
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

    async fn live(&self, stage: &Arc<Stage>, life: u32) -> Result<()> {
        let name = &self.part.name;
        let trap = self.part.traps.get(life as usize).cloned().flatten();
        let calm = stage.calm.load(Ordering::SeqCst);
        stage.log.add(name, &format!("life {life} begins, trap: {trap:?}"));
        let job = Job { role: self.part.role.clone(), site: stage.site(&self.proxy), life, trap, calm };
        let mut child = Command::new(&stage.program)
            .arg("child")
            // Only the defect `local-clock` reads it.
            .env("REDSTREAM_CLOCK_SKEW_MS", self.part.skew_ms.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start {}", stage.program.display()))?;
        let mut input = child.stdin.take().context("a child has no input")?;
        input.write_all(format!("{}\n", serde_json::to_string(&job)?).as_bytes()).await?;
        // Whoever ends the schedule from now on finds the input there; if it ended just before, the process is told here.
        let mut slot = self.input.lock().await;
        *slot = (!stage.ending.load(Ordering::SeqCst)).then_some(input);
        drop(slot);
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        *self.now() = Now { pid, ..Now::default() };
        let output = child.stdout.take().context("a child has no output")?;
        let errors = child.stderr.take().context("a child has no error output")?;
        tokio::join!(
            async {
                let mut lines = BufReader::new(output).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    match serde_json::from_str(&line) {
                        Ok(word) => self.hear(stage, word),
                        Err(_) => stage.log.add(name, &line),
                    }
                }
            },
            async {
                let mut lines = BufReader::new(errors).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    stage.log.add(name, &line);
                }
            },
        );
        let status = child.wait().await?;
        self.now().pid = None;
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
