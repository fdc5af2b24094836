//! A delayer or a trimmer that no host runs is detected by the active consumer.

use std::time::Duration;

use redstream_core::{Neglected, Supervisor};

use super::SOON;
use super::recorder::Recorder;
use crate::support::{Logs, eventually, namespace, raw_redis, redis_url, redstream_at};

#[tokio::test]
async fn a_stream_without_its_delayer_and_its_trimmer_is_told_and_shown_until_they_run() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    // An id of long ago.
    for stream in ["products", "products.delay"] {
        let key = format!("{namespace}:redstream:stream:{stream}");
        let xadd = redis::cmd("XADD").arg(key).arg("1000-0").arg("payload").arg("1").to_owned();
        xadd.exec_async(&mut raw).await.unwrap();
    }
    let logs = Logs::capture();
    let consumer = products.consumer("search", Recorder::default()).warn_neglect(Duration::from_millis(100));
    let supervisor = Supervisor::new().with(consumer);
    let health = supervisor.health();
    let story = async {
        eventually(SOON, "both to be missed", async || health.neglected().len() == 2).await;
        let day = Duration::from_secs(86400);
        for one in health.neglected() {
            match one {
                Neglected::Delayer { stream, overdue: age } | Neglected::Trimmer { stream, oldest: age } => {
                    assert!(stream == *products.name() && age > day, "{stream}: {age:?}");
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(health.workers()[0].neglected, health.neglected());
        assert!(health.is_live() && health.is_ready(), "to restart this process is no remedy");
        assert!(logs.has(&["WARN", "delay messages are overdue", "products", "overdue="]), "{}", logs.text());
        assert!(logs.has(&["WARN", "no trimmer is at work", "products", "age="]), "{}", logs.text());

        let others = Supervisor::new().with(products.delayer(Duration::from_secs(60))).with(products.trimmer());
        let found = async {
            eventually(SOON, "none to be missed", async || health.neglected().is_empty()).await;
            for worker in ["delayer", "trimmer"] {
                eventually(SOON, "that to be told", async || logs.has(&["INFO", "has this worker again", worker]))
                    .await;
            }
        };
        others.run_until(found).await.unwrap();
        assert_eq!(logs.text().matches("are overdue").count(), 1, "told once: {}", logs.text());
    };
    supervisor.run_until(story).await.unwrap();
}

/// The next owner checks again.
#[tokio::test]
async fn a_standby_shows_nothing_of_what_it_saw_before() {
    let namespace = namespace();
    let products = redstream_at(&redis_url(), &namespace).await.stream("products").unwrap();
    let key = format!("{namespace}:redstream:stream:products.delay");
    let xadd = redis::cmd("XADD").arg(key).arg("1000-0").arg("payload").arg("1").to_owned();
    xadd.exec_async(&mut raw_redis(&redis_url()).await).await.unwrap();
    let consumer = products.consumer("search", Recorder::default()).warn_neglect(Duration::from_millis(50));
    let supervisor = Supervisor::new().with(consumer);
    let health = supervisor.health();
    let story = async {
        eventually(SOON, "the delayer to be missed", async || health.neglected().len() == 1).await;
        products.pause("search", SOON).await.unwrap();
        eventually(SOON, "the consumer to rest", async || health.neglected().is_empty()).await;
    };
    supervisor.run_until(story).await.unwrap();
}
