//! The shop as `deploy/kubernetes.yaml` runs it: processes with probes, which are told to stop by SIGTERM.

use std::env;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use redstream_seaorm::core::ConsumerState;
use redstream_servers::{POSTGRES_URL, Redis, RedisOptions, free_port};
use saphyr::{LoadableYamlNode as _, Yaml};
use sea_orm::ConnectionTrait as _;
use tokio::process::{Child, Command};

use super::*;

/// Set for a child: what it runs.
const ROLE: &str = "REDSTREAM_SHOP_ROLE";

/// How long anything may take here.
const BOUND: Duration = Duration::from_secs(60);

/// Does nothing unless it is started as a child.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() -> anyhow::Result<()> {
    match env::var(ROLE) {
        Ok(role) => start(role.parse()?).await,
        Err(_) => Ok(()),
    }
}

/// What the manifest says of one of the deployments.
struct Pod {
    role: String,
    live: String,
    ready: String,
    /// How long it may take to end.
    grace: Duration,
}

impl Pod {
    fn of(manifest: &[Yaml<'_>], name: &str) -> anyhow::Result<Self> {
        let named = |object: &&Yaml<'_>| {
            object["kind"].as_str() == Some("Deployment") && { object["metadata"]["name"].as_str() == Some(name) }
        };
        let spec = &manifest.iter().find(named).with_context(|| format!("no {name}"))?["spec"]["template"]["spec"];
        let container = &spec["containers"][0];
        let text = |node: &Yaml<'_>| node.as_str().map(str::to_owned).context("no text");
        let grace = spec["terminationGracePeriodSeconds"].as_integer().context("no grace")?;
        Ok(Self {
            role: text(&container["args"][0])?,
            live: text(&container["livenessProbe"]["httpGet"]["path"])?,
            ready: text(&container["readinessProbe"]["httpGet"]["path"])?,
            grace: Duration::from_secs(grace.try_into()?),
        })
    }
}

/// What all processes need.
struct Servers {
    redis: Redis,
    _search: SearchServer,
    environment: Vec<(&'static str, String)>,
}

impl Servers {
    async fn start() -> anyhow::Result<Self> {
        let redis = tokio::task::spawn_blocking(|| RedisOptions::new().append_only(true).start()).await??;
        let search = tokio::task::spawn_blocking(|| SearchServer::start(SearchEdition::OpenSearch)).await??;
        let (postgres, name) = (shared_url(POSTGRES_URL)?, format!("shop_{}", Uuid::new_v4().simple()));
        Database::connect(&postgres).await?.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        let (server, _) = postgres.rsplit_once('/').context("no name of a database")?;
        let environment = vec![
            ("REDIS_URL", redis.url()),
            ("SEARCH_URL", format!("http://127.0.0.1:{}", search.port())),
            ("DATABASE_URL", format!("{server}/{name}")),
        ];
        Ok(Self { redis, _search: search, environment })
    }

    fn spawn(&self, role: &str, listen: &str) -> anyhow::Result<Child> {
        let mut again = Command::new(env::current_exe()?);
        again.args(["--exact", "tests::deployed::child", "--nocapture"]).envs(self.environment.iter().cloned());
        again.env(ROLE, role).env("LISTEN", listen).stdin(Stdio::null()).stdout(Stdio::null());
        Ok(again.kill_on_drop(true).spawn()?)
    }

    /// The state of each consumer.
    async fn consumers(&self) -> anyhow::Result<Vec<ConsumerState>> {
        let options = ConnectOptions::new(self.redis.url()).namespace("redstream-shop");
        let overview = Redstream::connect(options).await?.overview().await?;
        let consumers = overview.streams.iter().flat_map(|stream| &stream.consumers);
        Ok(consumers.map(|consumer| consumer.state).collect())
    }
}

/// A process that runs, and its probes.
struct Running {
    pod: Pod,
    url: String,
    child: Child,
    client: reqwest::Client,
}

impl Running {
    fn start(servers: &Servers, pod: Pod) -> anyhow::Result<Self> {
        let listen = format!("127.0.0.1:{}", free_port()?);
        let child = servers.spawn(&pod.role, &listen)?;
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { pod, url: format!("http://{listen}"), child, client })
    }

    /// The status of a probe, if the process answers.
    async fn probe(&self, path: &str) -> Option<u16> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// Waits until the readiness probe has this status.
    async fn is_ready(&self, expected: u16) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let found = self.probe(&self.pod.ready).await;
            if found == Some(expected) {
                return Ok(());
            }
            let role = &self.pod.role;
            ensure!(begun.elapsed() < BOUND, "{role}: {found:?} instead of {expected} after {BOUND:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until no worker stands by.
    async fn is_at_work(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let health: Json = self.client.get(format!("{}/health", self.url)).send().await?.json().await?;
            let workers = health["workers"].as_array().context("no workers")?;
            if workers.iter().all(|worker| worker["state"] == "idle" || worker["state"] == "working") {
                return Ok(());
            }
            ensure!(begun.elapsed() < BOUND, "{health}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Tells it to stop as Kubernetes does, and waits until it has ended well.
    async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().context("it has ended before")?.to_string();
        ensure!(std::process::Command::new("kill").args(["-TERM", &pid]).status()?.success());
        let ended = tokio::time::timeout(self.pod.grace, self.child.wait()).await;
        let status = ended.with_context(|| format!("{} is killed after {:?}", self.pod.role, self.pod.grace))??;
        ensure!(status.success(), "{} ended with {status}", self.pod.role);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_pass_their_probes_outlive_redis_and_end_well_when_told_to() -> anyhow::Result<()> {
    let mut servers = Servers::start().await?;
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/kubernetes.yaml"))?;
    let manifest = Yaml::load_from_str(&manifest)?;
    let migrated = servers.spawn("migrate", "")?.wait().await?;
    ensure!(migrated.success(), "{migrated}");
    let web = Running::start(&servers, Pod::of(&manifest, "shop-web")?)?;
    let workers = Running::start(&servers, Pod::of(&manifest, "shop-workers")?)?;
    web.is_ready(200).await?;
    workers.is_ready(200).await?;

    let book = json!({ "title": "The Magic Mountain", "status": "announced", "details": {}, "author": "Thomas Mann",
        "categories": [] });
    let add = web.client.post(format!("{}/books", web.url)).json(&book);
    add.send().await?.error_for_status()?;
    let begun = Instant::now();
    while web.client.get(format!("{}/search?q=mountain", web.url)).send().await?.json::<Vec<Json>>().await?.is_empty() {
        if begun.elapsed() > BOUND {
            bail!("no worker brings the book to the index");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    servers.redis.kill()?;
    workers.is_ready(503).await?;
    // A restart would not help, and requests that only read are answered.
    assert_eq!(workers.probe(&workers.pod.live).await, Some(200));
    assert_eq!(web.probe(&web.pod.ready).await, Some(200));
    servers.redis.restart()?;
    workers.is_ready(200).await?;

    // Its locks of before stand until they expire, and it is the standby of itself.
    workers.is_at_work().await?;

    workers.stop().await?;
    // It has released its locks: others need not wait until they expire.
    let left = servers.consumers().await?;
    ensure!(left.iter().all(|state| *state == ConsumerState::Stopped) && left.len() > 2, "{left:?}");
    web.stop().await
}
