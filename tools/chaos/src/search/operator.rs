//! The process that runs the reindex and the swaps. Each of its lives carries out one step, from its beginning.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use redstream_seaorm::{CancellationToken, Key, Redstream, RedstreamExt as _, Scan, Swap, SwapError};
use redstream_sinks::elasticsearch::ElasticsearchSink;
use sea_orm::DatabaseConnection;
use tokio::time::{sleep, timeout};

use crate::item::Item;
use crate::search::index;
use crate::search::plan::Act;
use crate::search::site::SearchSite;
use crate::site::Site;
use crate::words::{Word, say};

/// After how long a walk may be continued by the next life.
const LOCK_TTL: Duration = Duration::from_millis(1000);

/// The longest that a consumer or a delayer may make no progress before the step is tried again.
const PATIENCE: Duration = Duration::from_secs(8);

/// The pause before a step is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Carries out the step at hand, however often it fails.
pub(crate) async fn operate<E: Item>(site: &Site, end: CancellationToken) -> Result<()> {
    let search = site.search.as_ref().context("there is no search index")?;
    let act = search.step().context("there is no step")?.act;
    if let Some(done) = end.run_until_cancelled(Box::pin(until_done::<E>(site, search, act))).await {
        done?;
        say(&Word::Step(search.done));
    }
    Ok(())
}

async fn until_done<E: Item>(site: &Site, search: &SearchSite, act: Act) -> Result<()> {
    let operator = Operator::<E> {
        redstream: site.redstream().await?,
        primary: site.primary().await?,
        site,
        search,
        entity: std::marker::PhantomData,
    };
    loop {
        match operator.attempt(act).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => tracing::warn!("{act:?} failed, and is tried again: {error:#}"),
        }
        sleep(PAUSE).await;
    }
}

struct Operator<'s, E> {
    redstream: Redstream,
    primary: DatabaseConnection,
    site: &'s Site,
    search: &'s SearchSite,
    entity: std::marker::PhantomData<fn() -> E>,
}

impl<E: Item> Operator<'_, E> {
    /// Returns whether it is done.
    async fn attempt(&self, act: Act) -> Result<bool> {
        match act {
            Act::Reindex { index } => self.reindex(index).await,
            Act::Swap { to, replaces, remove_old } => self.swap(to, replaces, remove_old).await,
            Act::Retire { to, replaces } => {
                let swap = self.swap_to(to, &self.sink(to)?).replaces(index::consumer(replaces));
                let report = swap.run(CancellationToken::new()).await?;
                Ok(report.is_switched && report.is_retired)
            }
            Act::Attempt { to, cut_ms } => {
                let swap = self.swap_to(to, &self.sink(to)?).check(async || Err("it is never switched".into()));
                match timeout(Duration::from_millis(cut_ms), swap.run(CancellationToken::new())).await {
                    Ok(Err(SwapError::Check { .. })) | Err(_) => Ok(true),
                    Ok(ended) => Ok(ended.map(|_| false)?),
                }
            }
            Act::Abort { to } => {
                self.swap_to(to, &self.sink(to)?).abort().await?;
                Ok(true)
            }
        }
    }

    async fn reindex(&self, nth: u8) -> Result<bool> {
        let reindex = self.redstream.reindex::<E>(&self.primary).consumer(index::consumer(nth)).lock_ttl(LOCK_TTL);
        let report = reindex.run(CancellationToken::new()).await?;
        if report.dead_letters > 0 {
            say(&Word::Wrong(format!("the reindex reports dead letters: {report:?}")));
        }
        if report.is_done() {
            self.check_settled("the reindex is done", &self.sink(nth)?).await?;
        }
        Ok(report.is_done())
    }

    async fn swap(&self, to: u8, replaces: Option<u8>, remove_old: bool) -> Result<bool> {
        let sink = self.sink(to)?;
        let mut swap = self.swap_to(to, &sink).remove_old(remove_old);
        if let Some(replaced) = replaces {
            swap = swap.replaces(index::consumer(replaced));
        }
        if self.search.plan.is_verified {
            let verify = self.redstream.verify::<E>(&self.primary, &sink).patience(PATIENCE);
            swap = swap.verify(verify.skip_delay(!self.site.repairs));
        }
        let checked = async || Ok(self.check_settled("the swap is about to switch", &sink).await?);
        match swap.check(checked).run(CancellationToken::new()).await {
            Err(SwapError::Differs { report, .. }) => {
                say(&Word::Wrong(format!("the index is verified before the switch: {report:?}")));
                Ok(false)
            }
            Err(error @ SwapError::DeadLetters { .. }) => {
                say(&Word::Wrong(error.to_string()));
                Ok(false)
            }
            ended => Ok(ended?.is_switched),
        }
    }

    fn swap_to<'a>(&'a self, to: u8, sink: &ElasticsearchSink<E>) -> Swap<'a, E> {
        let index = sink.behind(&self.search.alias);
        let swap = self.redstream.swap::<E>(&self.primary, index, index::consumer(to));
        swap.lock_ttl(LOCK_TTL).patience(PATIENCE)
    }

    fn sink(&self, nth: u8) -> Result<ElasticsearchSink<E>> {
        index::sink(self.search.port, self.site.keys, &self.search.alias, nth, self.search.plan.max_documents)
    }

    /// Rows that were announced before this process began, and that no writer touches, must be in the index.
    async fn check_settled(&self, when: &str, sink: &ElasticsearchSink<E>) -> Result<()> {
        let keys: Vec<Key<E>> = self.search.settled.iter().map(|id| Key::new(E::id(id))).collect();
        let found = Scan::<E, E::Model>::find(sink, &keys).await.map_err(|error| anyhow!(error.into_source()))?;
        let found = found.context("documents can be looked up")?;
        let is_there = |key: &&Key<E>| found.iter().any(|(there, _)| there == *key);
        let absent: Vec<String> = keys.iter().filter(|key| !is_there(key)).map(E::spelling).collect();
        if !absent.is_empty() {
            say(&Word::Wrong(format!(
                "{when}, and the index lacks {} of {} rows: {absent:?}",
                absent.len(),
                keys.len()
            )));
        }
        Ok(())
    }
}
