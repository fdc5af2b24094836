//! The checks of each master when connecting.

use redstream_core::{Error, Redstream, Risk};
use redstream_servers::{RedisEdition, RedisOptions};

use super::nodes::{Cluster, forgetful, strict};
use crate::support::Logs;

#[tokio::test]
async fn each_master_is_asked_for_settings_that_can_lose_messages() {
    let evicting = strict().arg("--maxmemory").arg("100mb").arg("--maxmemory-policy").arg("allkeys-lru");
    let cluster = Cluster::of([strict(), evicting, forgetful()]).await;
    let logs = Logs::capture();
    let redstream = Redstream::connect(cluster.options()).await.unwrap();
    let expected = [Risk::Eviction { policy: "allkeys-lru".to_owned() }, Risk::NoAppendOnlyFile];
    assert_eq!(redstream.risks().len(), 2, "each once: {:?}", redstream.risks());
    assert!(expected.iter().all(|risk| redstream.risks().contains(risk)), "{:?}", redstream.risks());
    let address = |node: usize| format!("127.0.0.1:{}", cluster.nodes[node].port());
    assert!(logs.has(&["WARN", &address(1), "noeviction"]), "{}", logs.text());
    assert!(logs.has(&["WARN", &address(2), "appendonly"]), "{}", logs.text());
    assert!(!logs.has(&["WARN", &address(0)]), "{}", logs.text());
}

#[tokio::test]
async fn masters_that_lose_nothing_are_not_warned_of() {
    let cluster = Cluster::start().await;
    assert_eq!(Redstream::connect(cluster.options()).await.unwrap().risks(), []);
}

#[tokio::test]
async fn a_master_before_6_2_is_refused_with_its_address_and_version() {
    let cluster = Cluster::of([strict(), RedisOptions::new().edition(RedisEdition::Redis5_0), strict()]).await;
    let error = Redstream::connect(cluster.options()).await.unwrap_err();
    let old = format!("127.0.0.1:{}", cluster.nodes[1].port());
    assert!(
        matches!(&error, Error::UnsupportedServer { address, version } if *address == old && version.starts_with("5.0")),
        "{error:?}"
    );
}
