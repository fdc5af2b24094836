//! The environment of one schedule: its servers, its processes, and their recorded events.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use redstream_proxy::Proxy;
use redstream_seaorm::{Redstream, Start};
use redstream_servers::Redis;
use tempfile::TempDir;

use crate::connect::connected;
use crate::database::Primary;
use crate::item::STREAM;
use crate::log::Log;
use crate::monitor::Monitor;
use crate::older::{self, Missed};
use crate::place;
use crate::schedule::{Schedule, Theme};
use crate::search::state::Search;
use crate::shared::Shared;
use crate::sink::Datastore;
use crate::site::{CONSUMERS, Site};
use crate::verdict::{Breach, Breaches};
use crate::words::Written;

pub(crate) struct Stage {
    pub(crate) schedule: Schedule,
    /// The program of its processes.
    pub(crate) program: PathBuf,
    pub(crate) log: Arc<Log>,
    pub(crate) breaches: Arc<Breaches>,
    pub(crate) primary: Primary,
    pub(crate) datastore: Datastore,
    pub(crate) search: Option<Search>,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) redis_port: u16,
    /// What a Cluster knows of its nodes.
    _folder: TempDir,
    redis: tokio::sync::Mutex<Option<Redis>>,
    /// Whether the proxies accept connections.
    pub(crate) open: Arc<AtomicBool>,
    pub(crate) calm: AtomicBool,
    pub(crate) ending: AtomicBool,
    pub(crate) crashes: AtomicU64,
    pub(crate) written: Mutex<Vec<Written>>,
    pub(crate) missed: Missed,
}

impl Stage {
    /// Starts the servers, and has both consumers registered.
    pub(crate) async fn set(schedule: Schedule, shared: &Shared) -> Result<Arc<Self>> {
        let (log, breaches) = (Arc::new(Log::new()), Arc::new(Breaches::default()));
        log.add("harness", &format!("{schedule:#?}"));
        let folder = tempfile::tempdir()?;
        let server = schedule.place.server(folder.path())?;
        let redis = tokio::task::spawn_blocking(|| server.start()).await??;
        let monitor = Monitor::new(redis.port(), schedule.place, breaches.clone(), log.clone());
        monitor.attach().await?;
        place::until_up(schedule.place, &mut connected(redis.port()).await?).await?;
        let primary = Primary::create(schedule.kind, schedule.keys, shared, schedule.seed).await?;
        let datastore = Datastore::open(schedule.keys, schedule.poison.clone(), log.clone()).await?;
        if schedule.ahead {
            let mut redis = connected(redis.port()).await?;
            let (seconds, _): (u64, u64) = redis::cmd("TIME").query_async(&mut redis).await?;
            let id = format!("{}000-0", seconds + 86_400);
            let key = schedule.place.main_stream();
            let _: String = redis::cmd("XADD")
                .arg(key)
                .arg(id)
                .arg("payload")
                .arg(schedule.keys.payload(1))
                .query_async(&mut redis)
                .await?;
        }
        let patient = schedule.place.client(&redis.url()).response_timeout(Duration::from_secs(20));
        let redstream = Redstream::connect(patient).await?;
        let stream = redstream.stream(STREAM)?;
        for consumer in CONSUMERS {
            stream.register(consumer, Start::Earliest).await?;
        }
        if schedule.packed {
            older::announce_readers(schedule.place, &mut connected(redis.port()).await?, &CONSUMERS).await?;
        }
        let search = Search::set(&schedule, shared.search, &primary, redstream).await?;
        Ok(Arc::new(Self {
            schedule,
            program: shared.program.clone(),
            log,
            breaches,
            primary,
            datastore,
            search,
            monitor,
            redis_port: redis.port(),
            _folder: folder,
            redis: tokio::sync::Mutex::new(Some(redis)),
            open: Arc::new(AtomicBool::new(true)),
            calm: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            crashes: AtomicU64::new(0),
            written: Mutex::default(),
            missed: Missed::default(),
        }))
    }

    pub(crate) fn site(&self, proxy: &Proxy) -> Site {
        Site {
            redis: proxy.url(),
            place: self.schedule.place,
            database: self.primary.url.clone(),
            schema: self.primary.schema.clone(),
            kind: self.schedule.kind,
            keys: self.schedule.keys,
            repairs: self.schedule.theme == Theme::Repair,
            sink: self.datastore.port,
            insured: self.schedule.insured,
            removes_delays: self.schedule.removes_delays,
            in_background: self.schedule.in_background,
            waiting_alone: self.schedule.waiting_alone(),
            delay_ms: self.schedule.delay_ms,
            search: self.search.as_ref().map(Search::site),
        }
    }

    pub(crate) fn kill_redis_soon(self: Arc<Self>, ms: u64) {
        tokio::spawn(async move {
            if let Err(error) = self.kill_redis(ms).await {
                self.breaches.add(Breach::NotIdle, format!("Redis did not come back: {error:#}"));
            }
        });
    }

    /// Kills Redis, and starts it again after this many ms. No client reaches it before the monitor has read its data.
    pub(crate) async fn kill_redis(&self, ms: u64) -> Result<()> {
        let mut slot = self.redis.lock().await;
        let mut redis = slot.take().context("Redis is gone")?;
        self.log.add("harness", &format!("Redis is killed, for {ms} ms"));
        self.open.store(false, Ordering::SeqCst);
        self.crashes.fetch_add(1, Ordering::Relaxed);
        redis.kill()?;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let redis = tokio::task::spawn_blocking(move || redis.restart().map(|()| redis)).await??;
        *slot = Some(redis);
        self.monitor.attach().await?;
        place::until_up(self.schedule.place, &mut connected(self.redis_port).await?).await?;
        self.monitor.catch_up().await?;
        self.open.store(true, Ordering::SeqCst);
        self.log.add("harness", "Redis is back");
        Ok(())
    }

    /// Makes Redis hang for this many ms.
    pub(crate) async fn pause_redis(&self, ms: u64) -> Result<()> {
        let slot = self.redis.lock().await;
        let redis = slot.as_ref().context("Redis is gone")?;
        self.log.add("harness", &format!("Redis hangs for {ms} ms"));
        redis.pause()?;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(redis.resume()?)
    }

    /// Makes Redis refuse commands that use memory for this many ms. It may be killed meanwhile, and then has memory
    /// again.
    pub(crate) async fn fill_redis(&self, ms: u64) -> Result<()> {
        self.log.add("harness", &format!("Redis is full for {ms} ms"));
        self.limit_memory("1").await?;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        self.limit_memory("0").await
    }

    async fn limit_memory(&self, bytes: &str) -> Result<()> {
        let mut limit = redis::cmd("CONFIG");
        limit.arg("SET").arg("maxmemory").arg(bytes);
        // Not while it is being killed or started again.
        let _slot = self.redis.lock().await;
        let () = limit.query_async(&mut connected(self.redis_port).await?).await?;
        Ok(())
    }

    /// Opens the slot of all keys for this many ms. Redis may be killed meanwhile, and restarts with it open.
    pub(crate) async fn open_slot(&self, ms: u64) -> Result<()> {
        self.log.add("harness", &format!("the slot is open for {ms} ms"));
        self.set_slot(true).await?;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        self.set_slot(false).await
    }

    async fn set_slot(&self, open: bool) -> Result<()> {
        // Not while it is being killed or started again.
        let _slot = self.redis.lock().await;
        place::set_slot(&mut connected(self.redis_port).await?, open).await
    }

    /// Stops everything.
    pub(crate) async fn strike(self: Arc<Self>) -> Result<()> {
        let redis = self.redis.lock().await.take();
        tokio::task::spawn_blocking(move || drop(redis)).await?;
        // Tasks that wait for a timer may keep the stage for a while longer.
        let mut stage = self;
        for _ in 0..100 {
            match Arc::try_unwrap(stage) {
                Ok(Stage { primary, search, .. }) => {
                    if let Some(search) = search {
                        search.remove().await?;
                    }
                    return primary.remove().await;
                }
                Err(held) => stage = held,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub(crate) fn written(&self) -> Vec<Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
