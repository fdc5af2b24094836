//! The supervisor: starts, restarts and stops workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use redstream_core::{Batch, CancellationToken, Error, Progress, Result, Supervisor, Worker, WorkerState};
use tokio::sync::{Notify, oneshot};

use super::SOON;
use super::recorder::Recorder;
use super::waiting_handler::Held;
use crate::support::{Logs, eventually, redstream};

/// A worker that runs the closure with the number of its earlier starts.
struct Scripted<F>(Arc<AtomicUsize>, F);

#[async_trait]
impl<F: Fn(usize) -> Result<()> + Send + Sync + 'static> Worker for Scripted<F> {
    fn name(&self) -> String {
        "scripted".to_owned()
    }

    async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        (self.1)(self.0.fetch_add(1, Ordering::SeqCst))?;
        shutdown.cancelled().await;
        Ok(())
    }
}

#[tokio::test]
async fn restarts_a_worker_that_panics_or_fails_after_a_pause_and_reports_it() {
    let starts = Arc::new(AtomicUsize::new(0));
    let worker = Scripted(starts.clone(), |start| match start {
        0 => panic!("on purpose"),
        1 => Err(Error::InvalidOption { option: "none", reason: "on purpose".to_owned() }),
        _ => Ok(()),
    });
    let third = async || starts.load(Ordering::SeqCst) == 3;
    let supervisor = Supervisor::new().with(worker);
    let logs = Logs::capture();
    supervisor.run_until(eventually(SOON, "the third start", third)).await.unwrap();
    for failure in ["it panicked: on purpose", "option none is not usable: on purpose"] {
        assert!(logs.has(&["ERROR", "worker failed", "scripted", failure, "pause="]), "{}", logs.text());
    }
}

#[tokio::test]
async fn a_worker_that_panics_takes_no_other_with_it() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let seen = Recorder::default();
    let supervisor = Supervisor::new()
        .with(Scripted(Arc::default(), |_| panic!("again and again")))
        .with(products.consumer("search", seen.clone()));
    let handled = async {
        redstream.producer().queue(products.name(), &1).await.unwrap();
        // Or two: logging the first panic can take so long that the acknowledgement comes too late, and it is sent
        // again.
        eventually(SOON, "the message", async || seen.len() > 0).await;
    };
    supervisor.run_until(handled).await.unwrap();
}

#[tokio::test]
async fn checks_all_workers_before_it_starts_one() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let supervisor = Supervisor::new()
        .with(products.consumer("search", Recorder::default()))
        .with(products.consumer("", Recorder::default()));
    let error = supervisor.run_until(std::future::pending::<()>()).await.unwrap_err();
    assert!(matches!(error, Error::InvalidName { .. }), "{error}");
    assert!(products.consumers().await.unwrap().is_empty(), "none was started");
}

#[tokio::test]
async fn a_handle_shows_the_health_of_workers_and_shuts_them_down() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let seen = Recorder::default();
    let workers = Supervisor::new().with(products.consumer("search", seen.clone())).start().unwrap();
    redstream.producer().queue(products.name(), &1).await.unwrap();
    eventually(SOON, "the message", async || seen.len() == 1).await;
    let health = workers.health();
    assert!(health.is_live());
    workers.shutdown().await.unwrap();
    assert_eq!(health.workers()[0].state, WorkerState::Stopped);
    let next = products.consumer("search", seen).run_once().await.unwrap();
    assert_eq!(next, Progress::Idle, "the lock was released, and the message committed");
}

#[tokio::test]
async fn dropping_the_handle_stops_the_workers_without_grace() {
    let starts = Arc::new(AtomicUsize::new(0));
    let (began, ended) = (starts.clone(), Arc::new(()));
    let alive = Arc::downgrade(&ended);
    let worker = Scripted(starts, move |_| {
        drop(ended.clone());
        Ok(())
    });
    let workers = Supervisor::new().with(worker).start().unwrap();
    eventually(SOON, "the start", async || began.load(Ordering::SeqCst) == 1).await;
    drop(workers);
    eventually(SOON, "the worker's end", async || alive.strong_count() == 0).await;
}

#[tokio::test]
async fn a_handle_names_the_workers_that_it_cut_off() {
    struct Deaf(Arc<Notify>);
    #[async_trait]
    impl Worker for Deaf {
        fn name(&self) -> String {
            "deaf".to_owned()
        }

        async fn run(&self, _: CancellationToken) -> Result<()> {
            self.0.notify_one();
            std::future::pending().await
        }
    }
    let started = Arc::new(Notify::new());
    let workers = Supervisor::new().with(Deaf(started.clone())).grace(Duration::from_millis(50)).start().unwrap();
    started.notified().await;
    let error = workers.shutdown().await.unwrap_err();
    assert!(matches!(&error, Error::GraceExceeded { workers, .. } if workers == &["deaf"]), "{error}");
}

#[tokio::test]
async fn on_stop_handlers_finish_commit_and_hand_over() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &1).await.unwrap();
    let held = Held::default();
    let minute = Duration::from_secs(60);
    let supervisor = Supervisor::new()
        .with(products.consumer("search", held.clone()).lock_ttl(minute))
        .with(products.delayer(minute).lock_ttl(minute))
        .with(products.trimmer().lock_ttl(minute));
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(supervisor.run_until(stopped));
    held.begun().await;
    stop.send(()).unwrap();
    tokio::task::yield_now().await;
    assert!(!running.is_finished(), "it waits for the handler");
    held.go_on();
    tokio::time::timeout(SOON, running).await.expect("it stops").unwrap().unwrap();

    assert_eq!(products.lag("search").await.unwrap(), 0);
    assert!(products.lock("search", minute).unwrap().try_acquire().await.unwrap().is_some(), "the lock is free");
    assert!(products.delayer(minute).run_once().await.unwrap().is_some(), "the delayer's too");
    assert_ne!(products.trimmer().run_once().await.unwrap(), redstream_core::Trimmed::Standby, "and the trimmer's");
}

#[tokio::test]
async fn a_handler_that_outlasts_the_grace_period_is_cut_off_and_its_batch_comes_again() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &1).await.unwrap();
    let begun = Arc::new(Notify::new());
    let handler = {
        let begun = begun.clone();
        move |_: Batch| {
            begun.notify_one();
            std::future::pending()
        }
    };
    let supervisor = Supervisor::new()
        .with(products.consumer("search", handler).lock_ttl(Duration::from_secs(60)))
        .grace(Duration::from_millis(50));
    let error = tokio::time::timeout(SOON, supervisor.run_until(begun.notified())).await.unwrap().unwrap_err();
    let is_it = matches!(&error, Error::GraceExceeded { workers, .. } if workers == &["consumer search of products"]);
    assert!(is_it, "{error:?}");

    let seen = Recorder::default();
    let again = products.consumer("search", seen.clone());
    // Its lock was released during the shutdown, though its TTL is a minute.
    eventually(SOON, "the message again", async || {
        again.run_once().await.unwrap();
        seen.len() == 1
    })
    .await;
}

#[tokio::test]
async fn dropping_it_stops_the_workers() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let supervisor =
        Supervisor::new().with(products.consumer("search", Recorder::default()).lock_ttl(Duration::from_secs(60)));
    let health = supervisor.health();
    let running = tokio::spawn(supervisor.run_until(std::future::pending::<()>()));
    let lock = products.lock("search", Duration::from_secs(60)).unwrap();
    // Not merely locked: what is cut off before the reply to its acquire keeps the lock until the TTL.
    eventually(SOON, "the consumer at work", async || health.workers()[0].state == WorkerState::Idle).await;
    running.abort();
    eventually(SOON, "its lock to be free", async || lock.try_acquire().await.unwrap().is_some()).await;
}

#[tokio::test]
async fn a_forgotten_consumer_is_not_restarted() {
    let namespace = crate::support::namespace();
    let url = crate::support::redis_url();
    let products = crate::support::redstream_at(&url, &namespace).await.stream("products").unwrap();
    let supervisor =
        Supervisor::new().with(products.consumer("search", Recorder::default()).lock_ttl(Duration::from_millis(200)));
    let forgotten = async {
        eventually(SOON, "its registration", async || !products.consumers().await.unwrap().is_empty()).await;
        let lock = products.lock("search", Duration::from_secs(5)).unwrap();
        eventually(SOON, "the consumer at work", async || lock.try_acquire().await.unwrap().is_none()).await;
        let mut raw = crate::support::raw_redis(&url).await;
        let registry = format!("{namespace}:redstream:consumers:products");
        let () = redis::cmd("DEL").arg(registry).query_async(&mut raw).await.unwrap();
        let key = lock.key();
        eventually(SOON, "it to give up its lock", async || {
            let held: bool = redis::cmd("EXISTS").arg(key).query_async(&mut raw).await.unwrap();
            !held
        })
        .await;
    };
    supervisor.run_until(forgotten).await.unwrap();
    assert!(products.consumers().await.unwrap().is_empty(), "it did not register again");
}

/// As Kubernetes and systemd do with SIGTERM, and a terminal with SIGINT.
#[cfg(unix)]
#[tokio::test]
async fn a_signal_stops_it_with_grace_and_hands_over() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let minute = Duration::from_secs(60);
    for (place, signal) in ["TERM", "INT"].into_iter().enumerate() {
        let begun = Arc::new(Notify::new());
        let handler = {
            let begun = begun.clone();
            move |_: Batch| {
                let begun = begun.clone();
                async move {
                    begun.notify_one();
                    Ok(())
                }
            }
        };
        let supervisor = Supervisor::new().with(products.consumer("search", handler).lock_ttl(minute));
        redstream.producer().queue(products.name(), &place).await.unwrap();
        let logs = Logs::capture();
        let running = tokio::spawn(supervisor.run_until_signal());
        begun.notified().await;
        let process = std::process::id().to_string();
        let sent = tokio::process::Command::new("kill").args([&format!("-{signal}"), &process]).status().await.unwrap();
        assert!(sent.success());
        tokio::time::timeout(SOON, running).await.expect("it stops").unwrap().unwrap();
        assert!(logs.has(&["told to stop", &format!("SIG{signal}")]), "{}", logs.text());
        assert_eq!(products.lag("search").await.unwrap(), 0, "what was at hand is committed");
        let free = products.lock("search", minute).unwrap().try_acquire().await.unwrap();
        assert!(free.is_some(), "the lock is free, though its TTL is a minute");
        free.unwrap().release().await.unwrap();
    }
}
