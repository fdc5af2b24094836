//! Health: the results of probes, and draining.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redstream_core::{Batch, Health, OnPoison, Redstream, Supervisor, WorkerState};

use super::SOON;
use super::panicking_worker::Restless;
use super::recorder::Recorder;
use super::waiting_handler::Held;
use crate::support::{eventually, private_redis, redstream};

fn state(health: &Health, worker: usize) -> WorkerState {
    health.workers()[worker].state
}

#[tokio::test]
async fn workers_that_have_nothing_to_do_are_alive_and_ready() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let minute = Duration::from_secs(60);
    let make = || {
        Supervisor::new()
            .with(products.consumer("search", Recorder::default()))
            .with(products.delayer(minute))
            .with(products.trimmer().interval(minute))
            .patience(Duration::from_millis(1))
    };
    let (active, standby) = (make(), make());
    let (active_health, standby_health) = (active.health(), standby.health());
    assert!(!active_health.is_ready(), "nothing is connected yet");
    let story = async {
        eventually(SOON, "the workers to be ready", async || active_health.is_ready()).await;
        let other = async {
            eventually(SOON, "the standbys to be ready", async || {
                standby_health.workers().iter().all(|worker| worker.state == WorkerState::Standby)
            })
            .await;
            assert!(standby_health.is_ready() && standby_health.is_live());
        };
        standby.run_until(other).await.unwrap();
        eventually(SOON, "them to have nothing to do", async || {
            active_health.workers().iter().all(|worker| worker.state == WorkerState::Idle)
        })
        .await;
        assert!(active_health.is_live());
        let names: Vec<String> = active_health.workers().into_iter().map(|worker| worker.name).collect();
        assert_eq!(names, ["consumer search of products", "delayer of products", "trimmer of products"]);
    };
    active.run_until(story).await.unwrap();
}

#[tokio::test]
async fn a_handler_that_is_stuck_or_fails_is_not_alive_when_patience_ends() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let stuck = Held::default();
    let fail = Arc::new(AtomicBool::new(false));
    let failing = {
        let fail = fail.clone();
        move |_: Batch| {
            let fail = fail.load(Ordering::SeqCst);
            async move { if fail { Err("no".into()) } else { Ok(()) } }
        }
    };
    let quick = (Duration::from_millis(5), Duration::from_millis(20));
    for handler_fails in [false, true] {
        let name = if handler_fails { "failing" } else { "stuck" };
        let consumer = if handler_fails {
            products.consumer(name, failing.clone())
        } else {
            products.consumer(name, stuck.clone())
        };
        let supervisor =
            Supervisor::new().with(consumer.backoff(quick.0, quick.1)).patience(Duration::from_millis(100));
        let health = supervisor.health();
        let story = async {
            eventually(SOON, "nothing to do", async || health.is_live() && state(&health, 0) == WorkerState::Idle)
                .await;
            fail.store(true, Ordering::SeqCst);
            redstream.producer().queue(products.name(), &1).await.unwrap();
            eventually(SOON, "patience to end", async || !health.is_live()).await;
            let expected = if handler_fails { WorkerState::Failing } else { WorkerState::Working };
            assert_eq!(state(&health, 0), expected);
            fail.store(false, Ordering::SeqCst);
            stuck.go_on();
            eventually(SOON, "life again", async || health.is_live() && state(&health, 0) == WorkerState::Idle).await;
        };
        supervisor.run_until(story).await.unwrap();
    }
}

#[tokio::test]
async fn without_redis_it_is_not_ready_and_then_not_alive() {
    let mut server = private_redis().await;
    let redstream = Redstream::connect(server.url()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let consumer =
        products.consumer("search", Recorder::default()).backoff(Duration::from_millis(5), Duration::from_millis(50));
    let supervisor = Supervisor::new().with(consumer).patience(Duration::from_millis(100));
    let health = supervisor.health();
    let story = async {
        eventually(SOON, "it to be ready", async || health.is_ready()).await;
        server.kill().unwrap();
        eventually(SOON, "it not to be ready", async || !health.is_ready()).await;
        eventually(SOON, "it not to be alive", async || !health.is_live()).await;
        server.restart().unwrap();
        eventually(SOON * 2, "it to be ready again", async || health.is_ready() && health.is_live()).await;
    };
    supervisor.run_until(story).await.unwrap();
}

#[tokio::test]
async fn quiet_finishes_hands_over_and_takes_on_nothing_more() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let held = Held::default();
    let supervisor =
        Supervisor::new().with(products.consumer("search", held.clone()).lock_ttl(Duration::from_secs(60)));
    let health = supervisor.health();
    let story = async {
        redstream.producer().queue(products.name(), &1).await.unwrap();
        held.begun().await;
        health.drain();
        assert!(!health.is_ready() && !health.is_drained(), "it finishes first");
        held.go_on();
        eventually(SOON, "it to rest", async || health.is_drained()).await;
        assert!(health.is_live(), "rest is no death");
        redstream.producer().queue(products.name(), &2).await.unwrap();
        let seen = Recorder::default();
        products.consumer("search", seen.clone()).run_once().await.unwrap();
        assert_eq!(seen.payloads(), [2], "it committed, and handed over");
    };
    supervisor.run_until(story).await.unwrap();
}

#[tokio::test]
async fn restarts_are_counted_and_what_stopped_for_good_is_dead() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let stops = products
        .consumer("search", async |batch: Batch| {
            if batch.payloads::<i64>().any(|number| number.is_ok_and(|n| n == 1)) { Err("no".into()) } else { Ok(()) }
        })
        .on_poison(OnPoison::Stop)
        .attempts(1)
        .backoff(Duration::from_millis(5), Duration::from_millis(20));
    let supervisor = Supervisor::new().with(stops).with(Restless);
    let health = supervisor.health();
    let story = async {
        for number in [0, 1, 2] {
            redstream.producer().queue(products.name(), &number).await.unwrap();
        }
        eventually(SOON, "the end of the consumer", async || state(&health, 0) == WorkerState::Stopped).await;
        assert!(!health.is_live() && !health.is_ready());
        eventually(SOON, "restarts of the other", async || health.workers()[1].restarts >= 2).await;
        assert_eq!(state(&health, 1), WorkerState::Failing);
    };
    supervisor.run_until(story).await.unwrap();
}
