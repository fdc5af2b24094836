//! Servers that an application reaches by Sentinels, as a Cluster, or by TLS.

use std::collections::HashMap;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use redis::aio::MultiplexedConnection;
use redstream_servers::{Redis, RedisEdition, RedisOptions};
use tempfile::TempDir;

use super::eventually;

/// Servers that run as long as this lives, and the environment by which the program finds them.
pub(crate) struct Deployment {
    pub(crate) environment: Vec<(&'static str, String)>,
    _servers: Vec<Redis>,
    _files: Option<TempDir>,
}

impl Deployment {
    /// A master with a password, and a Sentinel that monitors it.
    pub(crate) async fn sentinel() -> Self {
        let master = start(RedisOptions::new().append_only(true).arg("--requirepass").arg("secret")).await;
        let sentinel = start(RedisOptions::new().sentinel()).await;
        let mut raw = raw(&sentinel.url()).await;
        let port = master.port().to_string();
        for words in [&["MONITOR", "main", "127.0.0.1", &port, "1"][..], &["SET", "main", "auth-pass", "secret"]] {
            redis::cmd("SENTINEL").arg(words).exec_async(&mut raw).await.expect("the Sentinel accepts it");
        }
        eventually(async || {
            let state = redis::cmd("SENTINEL").arg("MASTER").arg("main").query_async(&mut raw).await;
            let state: HashMap<String, String> = state.expect("the Sentinel knows the master");
            state["flags"] == "master"
        })
        .await;
        let environment = vec![
            ("REDIS_SENTINELS", sentinel.url()),
            ("REDIS_MASTER", "main".to_owned()),
            ("REDIS_NODE", "redis://:secret@any/".to_owned()),
        ];
        Self { environment, _servers: vec![master, sentinel], _files: None }
    }

    /// Three masters, each with a third of the slots. Two of them are named.
    pub(crate) async fn cluster() -> Self {
        let mut nodes = Vec::new();
        for slots in [0..=5460, 5461..=10_922, 10_923..=16_383_u16] {
            let options = RedisOptions::new().port_arg("--cluster-port").expect("there is a free port");
            let node = start(options.append_only(true).arg("--cluster-enabled").arg("yes")).await;
            let mut raw = raw(&node.url()).await;
            let slots: Vec<_> = slots.collect();
            redis::cmd("CLUSTER").arg("ADDSLOTS").arg(slots).exec_async(&mut raw).await.expect("they are free");
            nodes.push(node);
        }
        let mut first = raw(&nodes[0].url()).await;
        for node in &nodes[1..] {
            let bus =
                redis::cmd("CONFIG").arg("GET").arg("cluster-port").query_async(&mut raw(&node.url()).await).await;
            let bus: [String; 2] = bus.expect("the node tells its port");
            let meet = redis::cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(node.port()).arg(&bus[1]).to_owned();
            meet.exec_async(&mut first).await.expect("the node is there");
        }
        for node in &nodes {
            let mut raw = raw(&node.url()).await;
            eventually(async || {
                let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(&mut raw).await.expect("it answers");
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            })
            .await;
        }
        let named = format!("{},{}", nodes[0].url(), nodes[2].url());
        Self { environment: vec![("REDIS_CLUSTER", named)], _servers: nodes, _files: None }
    }

    /// A server that speaks TLS, with a certificate of an authority of its own.
    pub(crate) async fn tls() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are fine");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = || KeyPair::generate().expect("there is randomness");
        let (authority, own) = (CertifiedIssuer::self_signed(params, key()).expect("the key is usable"), key());
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address is a name");
        let certificate = certificate.signed_by(&own, &authority).expect("the key is usable");
        let files = tempfile::tempdir().expect("there is room");
        let write = |name: &str, text: String| {
            let path = files.path().join(name);
            std::fs::write(&path, text).expect("there is room");
            path.to_str().expect("a temporary path is text").to_owned()
        };
        let root = write("root.pem", authority.pem());
        let port = redstream_servers::free_port().expect("there is a free port");
        // The newest server is built without TLS.
        let mut options = RedisOptions::new().edition(RedisEdition::System).append_only(true);
        for (option, value) in [
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", write("server.pem", certificate.pem())),
            ("--tls-key-file", write("server.key", own.serialize_pem())),
            ("--tls-ca-cert-file", root.clone()),
            ("--tls-auth-clients", "no".to_owned()),
        ] {
            options = options.arg(option).arg(value);
        }
        let server = start(options).await;
        let environment = vec![("REDIS_URL", format!("rediss://127.0.0.1:{port}/")), ("REDIS_ROOT_CERTIFICATE", root)];
        Self { environment, _servers: vec![server], _files: Some(files) }
    }
}

pub(crate) async fn start(options: RedisOptions) -> Redis {
    let start = tokio::task::spawn_blocking(move || options.start());
    start.await.expect("it does not panic").expect("there is a Redis")
}

/// A plain connection.
pub(crate) async fn raw(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).expect("the URL is usable");
    client.get_multiplexed_async_connection().await.expect("Redis answers")
}
