//! Two processes, one consumer: one works, the other stands by and takes over.

use std::time::{Duration, Instant};

use redstream_core::{Batch, CancellationToken, Redstream, Stream, Supervisor};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::child::{Child, Job, say};
use crate::support::{namespace, redis_url, redstream_at};

/// Where a process works or stands by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Post {
    redis_url: String,
    namespace: String,
    lock_ttl: Duration,
}

impl Post {
    fn new(lock_ttl: Duration) -> Self {
        Self { redis_url: redis_url(), namespace: namespace(), lock_ttl }
    }

    async fn redstream(&self) -> Redstream {
        redstream_at(&self.redis_url, &self.namespace).await
    }

    async fn stream(&self) -> Stream {
        self.redstream().await.stream("cities").expect("the name is good")
    }

    async fn queue(&self, id: u64) {
        let stream = self.stream().await;
        self.redstream().await.producer().queue(stream.name(), &json!({ "id": id })).await.expect("Redis answers");
    }
}

/// The main function of such a process: it reports each id that it handles.
pub(super) async fn work(post: Post, end: CancellationToken) -> anyhow::Result<()> {
    let handler = async |batch: Batch| {
        for payload in batch.payloads::<serde_json::Value>() {
            say(&format!("handled {}", payload?["id"]));
        }
        Ok(())
    };
    let consumer = post.stream().await.consumer("search", handler).lock_ttl(post.lock_ttl);
    say("ready");
    Supervisor::new().with(consumer).run_until(end.cancelled()).await?;
    Ok(())
}

/// One that works, and one that stands by.
async fn pair(post: &Post) -> (Child, Child) {
    let mut active = Child::start(&Job::Standby(post.clone())).await;
    post.queue(1).await;
    active.says("handled 1").await;
    let mut standby = Child::start(&Job::Standby(post.clone())).await;
    standby.says("ready").await;
    (active, standby)
}

#[tokio::test]
async fn takes_over_within_the_ttl_and_a_second_when_the_active_process_is_killed() {
    let ttl = Duration::from_secs(2);
    let post = Post::new(ttl);
    let (mut active, mut standby) = pair(&post).await;

    active.kill().await;
    let killed = Instant::now();
    post.queue(2).await;
    standby.says("handled 2").await;

    let took = killed.elapsed();
    assert!(took <= ttl + Duration::from_secs(1), "the standby took over after {took:?}");
}

#[tokio::test]
async fn takes_over_at_once_when_the_active_process_stops() {
    let post = Post::new(Duration::from_secs(15));
    let (mut active, mut standby) = pair(&post).await;

    active.stop().await;
    let stopped = Instant::now();
    post.queue(2).await;
    standby.says("handled 2").await;

    let took = stopped.elapsed();
    assert!(took < Duration::from_secs(2), "the standby took over after {took:?}, and the lock lasts 15 s");
}
