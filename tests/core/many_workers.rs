//! Many workers of one process: they share connections, and each still gets its own messages at once.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redstream_core::{ConnectOptions, Redstream, Supervisor, WorkerState};
use redstream_servers::RedisOptions;
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use super::rights;
use crate::support::{eventually, private_redis, raw_redis};

/// More than wait on connections of their own.
const STREAMS: usize = 150;

async fn clients(raw: &mut MultiplexedConnection) -> Vec<String> {
    let list: String = redis::cmd("CLIENT").arg("LIST").query_async(raw).await.unwrap();
    list.lines().map(str::to_owned).collect()
}

struct Scene {
    redstream: Redstream,
    raw: MultiplexedConnection,
    seen: Vec<Recorder>,
}

impl Scene {
    async fn new(url: &str, options: ConnectOptions) -> Self {
        let redstream = Redstream::connect(options).await.unwrap();
        let seen = (0..STREAMS).map(|_| Recorder::default()).collect();
        Self { redstream, raw: raw_redis(url).await, seen }
    }

    /// A consumer, a delayer and a trimmer for each stream.
    fn workers(&self) -> Supervisor {
        let mut supervisor = Supervisor::new();
        for (n, seen) in self.seen.iter().enumerate() {
            let stream = self.redstream.stream(format!("s{n}")).unwrap();
            supervisor = supervisor
                .with(stream.consumer("search", seen.clone()).lock_ttl(Duration::from_secs(2)))
                .with(stream.delayer(Duration::from_secs(300)))
                .with(stream.trimmer());
        }
        supervisor
    }

    async fn write_to(&self, streams: impl IntoIterator<Item = usize>, payload: i32) {
        for n in streams {
            let stream = self.redstream.stream(format!("s{n}")).unwrap();
            self.redstream.producer().queue(stream.name(), &payload).await.unwrap();
        }
    }

    /// Also if some came twice.
    async fn all_have(&self, payload: i32) {
        let has = |seen: &Recorder| seen.payloads().contains(&json!(payload));
        eventually(SOON, "the messages", async || self.seen.iter().all(has)).await;
    }
}

async fn all_idle(supervisor_health: &redstream_core::Health) {
    let is_idle = |worker: &redstream_core::WorkerHealth| worker.state == WorkerState::Idle;
    eventually(SOON * 2, "all to be at work", async || supervisor_health.workers().iter().all(is_idle)).await;
}

#[tokio::test]
async fn quiet_workers_share_few_connections_and_none_of_them_misses_a_message() {
    let server = private_redis().await;
    let mut scene = Scene::new(&server.url(), ConnectOptions::new(server.url())).await;
    let supervisor = scene.workers();
    let health = supervisor.health();
    let story = async {
        all_idle(&health).await;
        scene.write_to(0..STREAMS, 1).await;
        scene.all_have(1).await;
        // One by one, while the others wait.
        for n in 0..STREAMS {
            scene.write_to([n], 2).await;
            eventually(SOON, "the message", async || scene.seen[n].payloads().contains(&json!(2))).await;
        }
        // Quiet again: 16 that wait alone, two for all others, one for commands, 8 that are kept, two of the handle, and
        // that of the test.
        eventually(SOON * 2, "few connections", async || clients(&mut scene.raw).await.len() <= 31).await;
        scene.write_to((0..STREAMS).rev(), 3).await;
        scene.all_have(3).await;
        for (n, seen) in scene.seen.iter().enumerate() {
            assert_eq!(seen.payloads(), [json!(1), json!(2), json!(3)], "stream {n}");
        }
    };
    supervisor.run_until(story).await.unwrap();
}

#[tokio::test]
async fn a_shared_connection_that_breaks_loses_nothing() {
    let server = private_redis().await;
    let mut scene = Scene::new(&server.url(), ConnectOptions::new(server.url())).await;
    let supervisor = scene.workers();
    let health = supervisor.health();
    let story = async {
        all_idle(&health).await;
        for round in 1..=5 {
            // One kind after the other: those that wait, and that for commands.
            let blocked = if round % 2 == 0 { "cmd=xread" } else { "cmd=" };
            let own: i64 = redis::cmd("CLIENT").arg("ID").query_async(&mut scene.raw).await.unwrap();
            for client in clients(&mut scene.raw).await {
                let id = client.split(' ').next().and_then(|id| id.strip_prefix("id=")).unwrap().to_owned();
                if client.contains(blocked) && id != own.to_string() {
                    let mut kill = redis::cmd("CLIENT");
                    kill.arg("KILL").arg("ID").arg(id);
                    let _gone: i64 = kill.query_async(&mut scene.raw).await.unwrap();
                }
            }
            scene.write_to(0..STREAMS, round).await;
            scene.all_have(round).await;
        }
    };
    supervisor.run_until(story).await.unwrap();
}

#[tokio::test]
async fn hot_standbys_share_few_connections_and_take_over_at_once() {
    let server = private_redis().await;
    let options = || ConnectOptions::new(server.url());
    let (first, mut second) = (Scene::new(&server.url(), options()).await, Scene::new(&server.url(), options()).await);
    let (at_work, standing_by) = (first.workers(), second.workers());
    let (working, waiting) = (at_work.health(), standing_by.health());
    let story = async {
        let at_work = at_work.start().unwrap();
        all_idle(&working).await;
        let story = async {
            let is_standby = |worker: &redstream_core::WorkerHealth| worker.state == WorkerState::Standby;
            eventually(SOON * 2, "standbys", async || waiting.workers().iter().all(is_standby)).await;
            // As many as 450 workers wait: 16 alone, and four for all others.
            eventually(SOON * 2, "few connections", async || clients(&mut second.raw).await.len() <= 31 + 30).await;
            at_work.shutdown().await.unwrap();
            // Without a release the locks of the delayers would expire after five seconds.
            let released = std::time::Instant::now();
            all_idle(&waiting).await;
            assert!(released.elapsed() < SOON, "{:?}", released.elapsed());
            second.write_to(0..STREAMS, 1).await;
            second.all_have(1).await;
        };
        standing_by.run_until(story).await.unwrap();
    };
    story.await;
}

/// As many connections as workers that wait.
#[tokio::test]
async fn a_user_who_may_not_unblock_clients_has_a_connection_for_each_worker_that_waits() {
    let server = tokio::task::spawn_blocking(|| RedisOptions::new().start()).await.unwrap().unwrap();
    rights::allow(&server.url(), &rights::needed()).await;
    rights::allow(&server.url(), &["+info".to_owned()]).await;
    let url = server.url().replace("redis://", "redis://app:secret@");
    let mut scene = Scene::new(&server.url(), ConnectOptions::new(url).namespace("shop")).await;
    let supervisor = scene.workers();
    let health = supervisor.health();
    let story = async {
        all_idle(&health).await;
        eventually(SOON * 2, "a connection each", async || clients(&mut scene.raw).await.len() >= STREAMS).await;
        scene.write_to(0..STREAMS, 1).await;
        scene.all_have(1).await;
    };
    supervisor.run_until(story).await.unwrap();
}

/// Some of them get no reply in time, and begin again with connections of their own; the others follow.
#[tokio::test]
async fn standbys_share_connections_again_after_some_commands_had_no_reply() {
    let server = private_redis().await;
    let first = Scene::new(&server.url(), ConnectOptions::new(server.url())).await;
    let mut user = redis::cmd("ACL");
    user.arg("SETUSER").arg("standby").arg("on").arg(">secret").arg("+@all").arg("~*").arg("&*");
    user.exec_async(&mut first.raw.clone()).await.unwrap();
    let url = server.url().replace("redis://", "redis://standby:secret@");
    let mut second = Scene::new(&server.url(), ConnectOptions::new(url)).await;
    let (at_work, standing_by) = (first.workers(), second.workers());
    let (working, waiting) = (at_work.health(), standing_by.health());
    let at_work = at_work.start().unwrap();
    all_idle(&working).await;
    let story = async {
        let is_standby = |worker: &redstream_core::WorkerHealth| worker.state == WorkerState::Standby;
        eventually(SOON * 2, "standbys", async || waiting.workers().iter().all(is_standby)).await;
        for _ in 0..3 {
            redis::cmd("CLIENT").arg("PAUSE").arg(1250).exec_async(&mut second.raw).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2500)).await;
        }
        // Sixteen that wait alone, four for all others, one for commands, eight that are kept, and one of the handle. A
        // few may be at work: the locks of some of the first ones were lost.
        eventually(SOON * 4, "few connections", async || {
            let own = clients(&mut second.raw).await.iter().filter(|client| client.contains("user=standby")).count();
            own <= 30
        })
        .await;
    };
    standing_by.run_until(story).await.unwrap();
    at_work.shutdown().await.unwrap();
}
