//! What the harness knows of the search index.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use redstream_proxy::{Proxy, ProxyOptions};
use redstream_seaorm::{Redstream, Start};
use serde_json::{Value as Json, json};

use crate::database::Primary;
use crate::item::STREAM;
use crate::schedule::Schedule;
use crate::search::http::ask;
use crate::search::index;
use crate::search::plan::Plan;
use crate::search::rows;
use crate::search::site::SearchSite;
use crate::words::Act;

pub(crate) struct Search {
    pub(crate) plan: Plan,
    pub(crate) alias: String,
    /// The server itself.
    server: u16,
    pub(crate) proxy: Proxy,
    /// Whether the proxy accepts connections.
    pub(crate) open: Arc<AtomicBool>,
    /// How many steps are done.
    done: AtomicUsize,
    /// Whether searches must find all rows that were there from the beginning.
    pub(crate) is_filled: AtomicBool,
    settled: Mutex<Vec<String>>,
    /// The points at which the operator killed itself.
    killed_at: Mutex<Vec<String>>,
    /// To Redis itself.
    pub(crate) redstream: Redstream,
}

impl Search {
    /// The rows that no writer touches are inserted and announced. Then the first index is created with the alias and
    /// its consumer, if the plan begins with a reindex; otherwise nothing is there.
    pub(crate) async fn set(
        schedule: &Schedule,
        server: u16,
        primary: &Primary,
        redstream: Redstream,
    ) -> Result<Option<Self>> {
        let Some(plan) = schedule.search.clone() else { return Ok(None) };
        let open = Arc::new(AtomicBool::new(true));
        let search = Self {
            alias: format!("chaos-{}", schedule.seed),
            server,
            proxy: ProxyOptions::new(server).while_open(open.clone()).start().await?,
            open,
            done: AtomicUsize::new(0),
            is_filled: AtomicBool::new(false),
            settled: Mutex::default(),
            killed_at: Mutex::default(),
            redstream,
            plan,
        };
        search.remove().await?;
        rows::add(&search, primary, 0..search.plan.settled).await?;
        if search.plan.begins_with_reindex() {
            let mut body = index::mapping(schedule.keys);
            body["settings"]["index.gc_deletes"] = "1d".into();
            body["aliases"] = json!({ &search.alias: {} });
            let (status, answer) = search.ask("PUT", &index::name(&search.alias, 1), &body).await?;
            ensure!(status == 200, "the first index is not created: {answer}");
            search.redstream.stream(STREAM)?.register(index::consumer(1), Start::Latest).await?;
        }
        Ok(Some(search))
    }

    pub(crate) fn site(&self) -> SearchSite {
        SearchSite {
            port: self.proxy.port(),
            alias: self.alias.clone(),
            plan: self.plan.clone(),
            done: self.done(),
            settled: self.settled().clone(),
        }
    }

    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// The operator reports that this step is done.
    pub(crate) fn is_done(&self, step: usize) {
        self.done.fetch_max(step + 1, Ordering::SeqCst);
    }

    /// The step that is not done; `None` if all are.
    pub(crate) fn at_hand(&self) -> Option<usize> {
        Some(self.done()).filter(|done| *done < self.plan.steps.len())
    }

    pub(crate) fn settled(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The operator has met its trap.
    pub(crate) fn stopped_at(&self, point: String, act: Act) {
        if matches!(act, Act::Kill | Act::KillAfter(_)) {
            self.killed_at.lock().unwrap_or_else(PoisonError::into_inner).push(point);
        }
    }

    pub(crate) fn killed_at(&self) -> Vec<String> {
        self.killed_at.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Json) -> Result<(u16, Json)> {
        ask(self.server, method, &format!("/{path}"), body).await.with_context(|| format!("{method} {path}"))
    }

    /// The indices that the alias points at.
    pub(crate) async fn in_use(&self) -> Result<Vec<String>> {
        let (status, indices) = self.ask("GET", &format!("_alias/{}", self.alias), &Json::Null).await?;
        let indices = indices.as_object().filter(|_| status == 200);
        Ok(indices.map(|indices| indices.keys().cloned().collect()).unwrap_or_default())
    }

    /// The port of the server itself.
    pub(crate) fn server(&self) -> u16 {
        self.server
    }

    /// Removes both indices.
    pub(crate) async fn remove(&self) -> Result<()> {
        for nth in [1, 2] {
            self.ask("DELETE", &index::name(&self.alias, nth), &Json::Null).await?;
        }
        Ok(())
    }
}
