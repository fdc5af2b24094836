//! Against a real Prometheus: every query of the dashboard gives something, and every alert fires if it is to, and
//! only then.

mod prometheus;
mod trouble;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use redstream_seaorm::{CancellationToken, Supervisor};
use redstream_servers::{Prometheus, RedisOptions};
use serde_json::Value as Json;

use super::*;
use prometheus::Scraper;
use trouble::{Raw, Restless};

const NAMESPACE: &str = "shop";

/// The bound on each wait: for a few scrapes and evaluations, a second apart.
const SOON: Duration = Duration::from_secs(60);

fn read(file: &str) -> anyhow::Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(file)).with_context(|| format!("read {file}"))
}

/// Checks a condition repeatedly, until it is met or the bound has passed.
async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let mut polls = tokio::time::interval(Duration::from_millis(50));
    let deadline = tokio::time::Instant::now() + SOON;
    while tokio::time::Instant::now() < deadline {
        polls.tick().await;
        if condition().await? {
            return Ok(());
        }
    }
    bail!("waited {SOON:?} in vain for: {what}");
}

/// The alerts, without the times for which they wait: their unit tests are about these.
fn impatient_alerts() -> anyhow::Result<String> {
    let waits = |line: &&str| line.trim_start().starts_with("for: ");
    let alerts = read("observability/alerts.yml")?;
    let count = alerts.lines().filter(waits).count();
    ensure!(count > 5, "{count} alerts wait");
    Ok(alerts.lines().filter(|line| !waits(line)).collect::<Vec<_>>().join("\n"))
}

/// Waits until these alerts fire and no others, at several evaluations.
async fn fires(scraper: &Scraper, alerts: &BTreeSet<String>) -> anyhow::Result<()> {
    let (mut last, mut firing) = (String::new(), BTreeSet::new());
    let mut rounds = 0;
    let outcome = eventually("the alerts", async || {
        let now = scraper.evaluated().await?;
        if now != last {
            firing = scraper.firing().await?;
            rounds = if firing == *alerts { rounds + 1 } else { 0 };
            last = now;
        }
        Ok(rounds == 4)
    });
    outcome.await.with_context(|| {
        let missing: Vec<_> = alerts.difference(&firing).collect();
        let wrong: Vec<_> = firing.difference(alerts).collect();
        format!("{missing:?} should fire, {wrong:?} should not")
    })
}

/// The queries of all panels, and of the variables.
fn queries(dashboard: &Json) -> anyhow::Result<Vec<String>> {
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().context("no panels")? {
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push(target["expr"].as_str().context("no query")?.to_owned());
        }
    }
    for variable in dashboard["templating"]["list"].as_array().context("no variables")? {
        let values = variable["definition"].as_str().and_then(|text| text.strip_prefix("label_values("));
        queries.extend(values.and_then(|text| Some(text.rsplit_once(", ")?.0.to_owned())));
    }
    let fill_in = |query: &String| {
        ["job", "namespace", "stream"]
            .iter()
            .fold(query.replace("$__rate_interval", "1m"), |query, name| query.replace(&format!("${name}"), ".*"))
    };
    Ok(queries.iter().map(fill_in).collect())
}

/// The labels of a series that the application gives, and those that `docs/metrics.md` says.
fn labels(series: &Json, page: &str) -> anyhow::Result<(BTreeSet<String>, BTreeSet<String>)> {
    let name = series["__name__"].as_str().context("no name")?;
    let metric = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let row = page.lines().find(|line| line.starts_with(&format!("| `{metric}` |")));
    let cells: Vec<_> = row.with_context(|| format!("docs/metrics.md has no row {metric}"))?.split('|').collect();
    let listed = cells[4].split(':').next().unwrap_or_default().split('`').skip(1).step_by(2);
    let own = ["__name__", "job", "instance", "le", "redstream_namespace"];
    let given = series.as_object().context("no labels")?.keys().filter(|label| !own.contains(&label.as_str()));
    Ok((given.cloned().collect(), listed.map(str::to_owned).collect()))
}

#[test]
fn alerts_and_the_example_configuration_are_valid_and_alerts_fire_in_time() -> anyhow::Result<()> {
    let promtool = Prometheus::promtool()?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../observability");
    for arguments in [["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]] {
        let output = Command::new(&promtool).args(arguments).current_dir(&folder).output()?;
        let said = [output.stdout, output.stderr].concat();
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_gives_something_and_every_alert_fires_if_it_is_to() -> anyhow::Result<()> {
    let redis = tokio::task::spawn_blocking(|| RedisOptions::new().append_only(true).start()).await??;
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display());
    let metrics = recorder()?;
    let app = App::open(ConnectOptions::new(redis.url()).namespace(NAMESPACE), &file).await?;
    let quick = |consumer: redstream_seaorm::Consumer| {
        consumer.attempts(2).backoff(Duration::from_millis(5), Duration::from_millis(20))
    };
    let workers = app.workers(Duration::from_millis(200)).options("search", quick).start()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let ends = CancellationToken::new();
    let served = axum::serve(listener, router(metrics)).with_graceful_shutdown(ends.clone().cancelled_owned());
    let server = tokio::spawn(served.into_future());
    let scraper = Scraper::start(&address, impatient_alerts()?).await?;

    // 1. All is well.
    for id in 1..50 {
        city::ActiveModel { id: Set(id), name: Set(format!("city {id}")) }.insert(&app.db).await?;
    }
    eventually("the index", async || Ok(app.index.cities().len() == 49)).await?;
    fires(&scraper, &BTreeSet::new()).await?;
    let alerts = scraper.alerts().await?;
    ensure!(alerts.len() > 10, "{alerts:?}");

    // 2. Nothing is.
    let mut raw = Raw::connect(&redis.url()).await?;
    let restless = Supervisor::new().with(Restless).start()?;
    trouble::bring_about(&app, &mut raw).await?;
    let adding = tokio::spawn(async move {
        let mut pauses = tokio::time::interval(Duration::from_millis(300));
        loop {
            pauses.tick().await;
            raw.add("orphan", false).await?;
        }
        #[expect(unreachable_code, reason = "the type of the errors")]
        anyhow::Ok(())
    });
    let silent = "RedstreamNotObserved";
    fires(&scraper, &alerts.iter().filter(|name| *name != silent).cloned().collect()).await?;
    let dashboard = serde_json::from_str(&read("observability/grafana.json")?)?;
    let queries = queries(&dashboard)?;
    ensure!(queries.len() > 30, "{queries:?}");
    for query in &queries {
        eventually(query, async || Ok(!scraper.query(query).await?.is_empty())).await?;
    }
    let page = read("docs/metrics.md")?;
    let series = scraper.series("{__name__=~\"redstream_.*\"}").await?;
    ensure!(series.len() > 100, "{} series", series.len());
    for series in series {
        let (given, listed) = labels(&series, &page)?;
        ensure!(given == listed, "{series}: docs/metrics.md lists {listed:?}");
    }

    // 3. No host observes: what was seen is no longer claimed. A verification was not the observer's.
    adding.abort();
    restless.shutdown().await?;
    workers.shutdown().await?;
    fires(&scraper, &BTreeSet::from(["RedstreamDrift".to_owned()])).await?;

    // 4. The process ends.
    ends.cancel();
    server.await??;
    fires(&scraper, &BTreeSet::from([silent.to_owned()])).await
}
