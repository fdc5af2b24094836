//! The worker processes: two run, and one that has ended is started again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use redstream_seaorm::CancellationToken;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::sleep_until;
use tokio_util::task::TaskTracker;

use super::board::{Board, Tone, Worker, WorkerState};
use crate::children::{Crew, Job, News, Report};
use crate::site::{Generation, Site};

/// One to work, one to stand by.
const WORKERS: usize = 2;
/// After how long a worker that has ended is started again: later than the standby has taken over.
const PAUSE: Duration = Duration::from_secs(4);
/// Reports that a reader may be behind.
const READ_LATER: usize = 4096;

type Reply = oneshot::Sender<anyhow::Result<Instant>>;

/// The way to the worker processes.
pub(super) struct Keeper {
    kills: mpsc::Sender<(usize, Reply)>,
    news: broadcast::Sender<News>,
}

impl Keeper {
    pub(super) fn start(crew: Crew, site: &Site, board: &Board, end: &CancellationToken, tasks: &TaskTracker) -> Self {
        let (kills, orders) = mpsc::channel(1);
        let news = broadcast::Sender::new(READ_LATER);
        let job = Job::Worker(site.clone(), Generation::First);
        let due = VecDeque::from([Instant::now(); WORKERS]);
        let keeping = Keeping { crew, job, board: board.clone(), news: news.clone(), due };
        tasks.spawn(keeping.keep(orders, end.clone()));
        Self { kills, news }
    }

    /// What workers report from now on.
    pub(super) fn news(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// Kills a worker with SIGKILL, which it cannot catch, and returns the time.
    pub(super) async fn kill(&self, who: usize) -> anyhow::Result<Instant> {
        let (reply, killed) = oneshot::channel();
        let ended = || anyhow!("the demo ends");
        self.kills.send((who, reply)).await.map_err(|_| ended())?;
        killed.await.map_err(|_| ended())?
    }
}

struct Keeping {
    crew: Crew,
    job: Job,
    board: Board,
    news: broadcast::Sender<News>,
    /// When workers are to be started.
    due: VecDeque<Instant>,
}

impl Keeping {
    async fn keep(mut self, mut orders: mpsc::Receiver<(usize, Reply)>, end: CancellationToken) {
        loop {
            let next = self.due.front().copied();
            let is_due = async {
                match next {
                    Some(due) => sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = end.cancelled() => return self.crew.dismiss().await,
                Some((who, reply)) = orders.recv() => { _ = reply.send(self.kill(who)); }
                Some(news) = self.crew.next() => self.hear(news).await,
                () = is_due => self.hire().await,
            }
        }
    }

    async fn hire(&mut self) {
        self.due.pop_front();
        match self.crew.hire(&self.job).await {
            Ok(who) => {
                let process = self.crew.pid(who);
                let worker = Worker { number: who + 1, process, state: WorkerState::Starting };
                self.board.change(|state| _ = state.workers.insert(who, worker));
            }
            Err(error) => {
                self.board.say(Tone::Bad, format!("a worker could not be started: {error:#}"));
                self.due.push_back(Instant::now() + PAUSE);
            }
        }
    }

    fn kill(&mut self, who: usize) -> anyhow::Result<Instant> {
        let is_alive = |state: &super::board::State| {
            state.workers.get(&who).is_some_and(|worker| worker.state != WorkerState::Killed)
        };
        self.board.read(is_alive).then_some(()).with_context(|| format!("there is no worker {}", who + 1))?;
        let killed = self.crew.kill(who)?;
        self.set_state(who, WorkerState::Killed);
        Ok(killed)
    }

    async fn hear(&mut self, news: News) {
        match news.report {
            Report::Ready => {
                self.set_state(news.who, WorkerState::Standby);
                let number = news.who + 1;
                self.board.say(Tone::Note, format!("worker {number} runs: process {}", self.crew.pid(news.who)));
            }
            Report::Leads(true) => self.set_state(news.who, WorkerState::Leads),
            Report::Leads(false) => self.set_state(news.who, WorkerState::Standby),
            Report::Gone => {
                self.crew.wait(news.who).await;
                let gone = self.board.read(|state| state.workers.get(&news.who).cloned());
                self.board.change(|state| _ = state.workers.remove(&news.who));
                if gone.is_some_and(|worker| worker.state != WorkerState::Killed) {
                    self.board.say(Tone::Bad, format!("worker {} ended by itself", news.who + 1));
                }
                self.due.push_back(Instant::now() + PAUSE);
            }
            Report::Handling(_) | Report::Handled | Report::Committed => {}
        }
        // It fails if no task waits for news.
        _ = self.news.send(news);
    }

    fn set_state(&self, who: usize, now: WorkerState) {
        self.board.change(|state| {
            // What a killed worker reported before it died arrives later.
            if let Some(worker) = state.workers.get_mut(&who).filter(|worker| worker.state != WorkerState::Killed) {
                worker.state = now;
            }
        });
    }
}
