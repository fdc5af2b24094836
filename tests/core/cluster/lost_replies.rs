//! Replies of a cluster's nodes that are lost, behind proxies that drop them.

use std::time::{Duration, Instant};

use redstream_core::{Error, Redstream, Supervisor};
use redstream_proxy::{Fault, Proxy};
use serde_json::{Value, json};

use super::nodes::{AGREED, Cluster};
use crate::core::recorder::Recorder;
use crate::support::{eventually, raw_redis};

const MAIN: &str = "redstream:stream:{products}";
const DELAYED: &str = "redstream:stream:{products}.delay";

const ADDS: &str = "\r\nXADD\r\n";

/// The bound on a call of the producer that gives up, with room for a slow machine.
const GIVES_UP: Duration = Duration::from_secs(5);

/// Faults after which the message is stored, but its reply is lost.
const REPLY_LOST: [Fault; 3] = [Fault::FallSilent, Fault::BreakInstead, Fault::BreakWithin];

impl Cluster {
    /// The next `times` requests of this kind at each node meet this fault.
    fn strike(&self, needle: &str, fault: Fault, times: usize) {
        for proxy in &self.proxies {
            proxy.strike(needle, fault, times);
        }
    }

    fn struck(&self) -> usize {
        self.proxies.iter().map(Proxy::struck).sum()
    }

    /// How often this payload is in that stream, on any node.
    async fn copies(&self, key: &str, payload: &Value) -> usize {
        let mut copies = 0;
        for node in &self.nodes {
            let mut raw = raw_redis(&node.url()).await;
            let xrange = redis::cmd("XRANGE").arg(key).arg("-").arg("+").to_owned();
            let entries: redis::RedisResult<Vec<(String, (String, String))>> = xrange.query_async(&mut raw).await;
            // The other nodes redirect to the node of the stream.
            let payload = payload.to_string();
            copies += entries.unwrap_or_default().iter().filter(|(_, (_, there))| *there == payload).count();
        }
        copies
    }
}

/// The cluster client would send a message again by itself when its reply is lost, up to 16 times. It must not: only
/// our own attempts are allowed, of which there is time for one here.
#[tokio::test]
async fn the_client_sends_no_message_again_by_itself() {
    let cluster = Cluster::behind_proxies().await;
    let response_timeout = Duration::from_millis(300);
    // We pause for at least 10 ms before a second attempt.
    let before_the_second = Duration::from_millis(8);
    for fault in REPLY_LOST {
        let first = if fault == Fault::FallSilent { response_timeout } else { Duration::ZERO };
        let options = cluster.options().response_timeout(response_timeout).give_up_after(first + before_the_second);
        let before = cluster.struck();
        let mut payloads = Vec::new();
        // On a busy machine a call may give up before it has sent anything.
        eventually(AGREED, "messages to reach their node", async || {
            cluster.strike(ADDS, Fault::BreakBefore, 0);
            let redstream = Redstream::connect(options.clone()).await.unwrap();
            cluster.strike(ADDS, fault, usize::MAX);
            let payload = json!({ "fault": format!("{fault:?}"), "call": payloads.len() });
            let products = redstream.stream("products").unwrap();
            let error = redstream.producer().queue(products.name(), &payload).await.unwrap_err();
            assert!(matches!(error, Error::GaveUp { .. }), "{error:?}");
            payloads.push(payload);
            cluster.struck() >= before + 10
        })
        .await;
        let mut copies = 0;
        for payload in &payloads {
            let there = cluster.copies(MAIN, payload).await;
            assert!(there <= 1, "{payload} is there {there} times");
            copies += there;
        }
        assert_eq!(copies, cluster.struck() - before, "{fault:?}: what was sent is there");
    }
}

#[tokio::test]
async fn a_message_whose_reply_is_lost_is_there_once_or_twice_and_is_handled() {
    let cluster = Cluster::behind_proxies().await;
    let redstream = Redstream::connect(cluster.options()).await.unwrap();
    let products = redstream.stream("products").unwrap();
    let seen = Recorder::default();
    let supervisor = Supervisor::new()
        .with(products.consumer("search", seen.clone()))
        .with(products.delayer(Duration::from_secs(300)));
    let story = async {
        for fault in Fault::ALL {
            for key in [MAIN, DELAYED] {
                let payload = json!({ "fault": format!("{fault:?}"), "to": key });
                let before = cluster.struck();
                cluster.strike(ADDS, fault, 1);
                let begun = Instant::now();
                let added = match key {
                    MAIN => redstream.producer().queue(products.name(), &payload).await,
                    _ => redstream.producer().delay(products.name(), &payload).await,
                };
                added.unwrap_or_else(|error| panic!("{payload}: {error:?}"));
                assert!(begun.elapsed() < GIVES_UP, "{payload}: {:?}", begun.elapsed());
                assert_eq!(cluster.struck(), before + 1, "the fault happened");
                let expected = if fault == Fault::BreakBefore { 1 } else { 2 };
                assert_eq!(cluster.copies(key, &payload).await, expected, "{payload}");
            }
            let payload = json!({ "fault": format!("{fault:?}"), "to": MAIN });
            eventually(AGREED, "the message", async || seen.payloads().contains(&payload)).await;
        }
    };
    supervisor.run_until(story).await.unwrap();
}
