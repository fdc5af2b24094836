//! `redstream web`: the dashboard, served to browsers.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use redstream_core::{Redstream, stop_signal};
use redstream_web::Dashboard;
use tokio::net::TcpListener;

use crate::Answer;

/// The user of the audit log: this server knows no other.
const USER: &str = "a user of `redstream web`";

pub(crate) async fn web(
    redstream: Redstream,
    listen: SocketAddr,
    allow_actions: bool,
    hosts: &[String],
) -> Result<Answer> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("could not listen at {listen}"))?;
    let address = listener.local_addr()?;
    // There is no login here, so a name that a foreign site has pointed at this address is refused.
    let mut dashboard = Dashboard::new(redstream).only_hosts(hosts);
    if allow_actions {
        dashboard = dashboard.allow_actions(|_, _| Some(USER.to_owned()));
    }
    let rights = if allow_actions { "with actions, for everyone who reaches it" } else { "read-only" };
    let stop = stop_signal()?;
    println!("the dashboard is at http://{address}/ ({rights}); Ctrl-C ends it");
    dashboard.serve(listener, async { _ = stop.await }).await.context("the dashboard ended")?;
    Ok(Answer::Yes)
}
