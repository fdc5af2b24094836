//! Connects as the arguments say.

use anyhow::{Context, Result, bail};
use redstream_core::{ConnectOptions, Redstream};

use crate::arguments::Place;

pub(crate) async fn connect(place: &Place) -> Result<Redstream> {
    let mut options = match (&place.sentinel[..], &place.cluster[..]) {
        ([], []) => ConnectOptions::new(&place.redis),
        (sentinels, []) => {
            let Some(master) = &place.master else { bail!(Usage("--sentinel needs --master, by which they know it")) };
            ConnectOptions::sentinel(sentinels, master)
        }
        ([], nodes) => ConnectOptions::cluster(nodes),
        _ => bail!(Usage("either Sentinels or a Cluster, not both")),
    };
    if let Some(node) = &place.node {
        options = options.node(node);
    }
    if let Some(namespace) = &place.namespace {
        options = options.namespace(namespace);
    }
    if let Some(file) = &place.root_certificate {
        let pem = std::fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
        options = options.root_certificate(pem);
    }
    // A person waits: no longer than they said, and not less, since a large database takes its time.
    options = options.give_up_after(place.timeout);
    Ok(Redstream::connect(options).await?)
}

/// A call that cannot be meant.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) &'static str);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Usage {}
