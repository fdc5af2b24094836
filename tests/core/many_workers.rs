//! Many workers of one process: they share connections, and each still gets its own messages at once.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redstream_core::{ConnectOptions, Health, Redstream, Supervisor, WorkerHealth, WorkerState};
use serde_json::json;

use super::SOON;
use super::recorder::Recorder;
use super::rights;
use crate::support::{eventually, private_redis, raw_redis};

/// More than wait on connections of their own.
const STREAMS: usize = 150;

/// The connections that the server has, a line each.
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

async fn all_are(state: WorkerState, health: &Health) {
    let is_so = |worker: &WorkerHealth| worker.state == state;
    eventually(SOON * 2, "all workers to be so", async || health.workers().iter().all(is_so)).await;
}

/// Runs all workers, and the story once they are at work.
async fn at_work(mut scene: Scene, story: impl AsyncFnOnce(&mut Scene)) {
    let supervisor = scene.workers();
    let health = supervisor.health();
    let story = async {
        all_are(WorkerState::Idle, &health).await;
        story(&mut scene).await;
    };
    supervisor.run_until(story).await.unwrap();
}

#[tokio::test]
async fn quiet_workers_share_few_connections_and_none_of_them_misses_a_message() {
    let server = private_redis().await;
    let scene = Scene::new(&server.url(), ConnectOptions::new(server.url())).await;
    at_work(scene, async |scene| {
        scene.write_to(0..STREAMS, 1).await;
        scene.all_have(1).await;
        // One by one, while the others wait.
        for n in 0..STREAMS {
            scene.write_to([n], 2).await;
            eventually(SOON, "the message", async || scene.seen[n].payloads().contains(&json!(2))).await;
        }
        // Quiet again: 16 that wait alone, two for all others, one for commands, 8 that are kept, two of the handle,
        // and that of the test.
        eventually(SOON * 2, "few connections", async || clients(&mut scene.raw).await.len() <= 31).await;
        scene.write_to((0..STREAMS).rev(), 3).await;
        scene.all_have(3).await;
        for (n, seen) in scene.seen.iter().enumerate() {
            assert_eq!(seen.payloads(), [json!(1), json!(2), json!(3)], "stream {n}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_shared_connection_that_breaks_loses_nothing() {
    let server = private_redis().await;
    let scene = Scene::new(&server.url(), ConnectOptions::new(server.url())).await;
    at_work(scene, async |scene| {
        let own: i64 = redis::cmd("CLIENT").arg("ID").query_async(&mut scene.raw).await.unwrap();
        for round in 1..=5 {
            // In turns: those that wait, and all of them.
            let broken = if round % 2 == 0 { "cmd=xread" } else { "cmd=" };
            for client in clients(&mut scene.raw).await {
                let id = client.split(' ').next().and_then(|id| id.strip_prefix("id=")).unwrap();
                if client.contains(broken) && id != own.to_string() {
                    let kill = redis::cmd("CLIENT").arg("KILL").arg("ID").arg(id).to_owned();
                    kill.exec_async(&mut scene.raw).await.unwrap();
                }
            }
            scene.write_to(0..STREAMS, round).await;
            scene.all_have(round).await;
        }
    })
    .await;
}

#[tokio::test]
async fn hot_standbys_share_few_connections_and_take_over_at_once() {
    let server = private_redis().await;
    let scene = async || Scene::new(&server.url(), ConnectOptions::new(server.url())).await;
    let (first, mut second) = (scene().await, scene().await);
    let (at_work, standing_by) = (first.workers(), second.workers());
    let (working, waiting) = (at_work.health(), standing_by.health());
    let at_work = at_work.start().unwrap();
    all_are(WorkerState::Idle, &working).await;
    let story = async {
        all_are(WorkerState::Standby, &waiting).await;
        // As many as 450 workers wait: 16 alone, and four for all others.
        eventually(SOON * 2, "few connections", async || clients(&mut second.raw).await.len() <= 31 + 30).await;
        at_work.shutdown().await.unwrap();
        // Without a release the locks of the delayers would expire after five seconds.
        let released = Instant::now();
        all_are(WorkerState::Idle, &waiting).await;
        assert!(released.elapsed() < SOON, "{:?}", released.elapsed());
        second.write_to(0..STREAMS, 1).await;
        second.all_have(1).await;
    };
    standing_by.run_until(story).await.unwrap();
}

/// As many connections as workers that wait.
#[tokio::test]
async fn a_user_who_may_not_unblock_clients_has_a_connection_for_each_worker_that_waits() {
    let server = private_redis().await;
    rights::allow(&server.url(), &rights::needed()).await;
    rights::allow(&server.url(), &["+info".to_owned()]).await;
    let url = server.url().replace("redis://", "redis://app:secret@");
    let scene = Scene::new(&server.url(), ConnectOptions::new(url).namespace("shop")).await;
    at_work(scene, async |scene| {
        eventually(SOON * 2, "a connection each", async || clients(&mut scene.raw).await.len() >= STREAMS).await;
        scene.write_to(0..STREAMS, 1).await;
        scene.all_have(1).await;
    })
    .await;
}

/// Otherwise they would ask again and again, and say nothing.
#[tokio::test]
async fn standbys_that_may_not_wait_for_a_lock_are_failing() {
    let server = private_redis().await;
    let rules =
        rights::needed().into_iter().chain(["+info", "+client|id", "+client|unblock", "-brpop"].map(str::to_owned));
    rights::allow(&server.url(), &rules.collect::<Vec<_>>()).await;
    let url = server.url().replace("redis://", "redis://app:secret@");
    let redstream = Redstream::connect(ConnectOptions::new(url).namespace("shop").waiting_alone(0)).await.unwrap();
    let stream = redstream.stream("orders").unwrap();
    let _held =
        stream.lock("search", Duration::from_secs(60)).unwrap().try_acquire().await.unwrap().expect("it is free");
    let standby = Supervisor::new().with(stream.consumer("search", Recorder::default()));
    let health = standby.health();
    standby.run_until(all_are(WorkerState::Failing, &health)).await.unwrap();
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
    all_are(WorkerState::Idle, &working).await;
    let story = async {
        all_are(WorkerState::Standby, &waiting).await;
        let own = async |raw: &mut MultiplexedConnection| {
            clients(raw).await.iter().filter(|client| client.contains("user=standby")).count()
        };
        for _ in 0..3 {
            let before = own(&mut second.raw).await;
            // Longer than a worker waits for a reply. What only reads is answered.
            let pause = redis::cmd("CLIENT").arg("PAUSE").arg(1250).arg("WRITE").to_owned();
            pause.exec_async(&mut second.raw).await.unwrap();
            let have_begun_again = async || own(&mut second.raw).await > before;
            eventually(SOON, "some to have begun again", have_begun_again).await;
        }
        // Sixteen that wait alone, four for all others, one for commands, eight that are kept, and one of the handle. A
        // few may be at work: the locks of some of the first ones were lost.
        eventually(SOON * 4, "few connections", async || own(&mut second.raw).await <= 30).await;
    };
    standing_by.run_until(story).await.unwrap();
    at_work.shutdown().await.unwrap();
}
