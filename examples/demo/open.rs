//! `--open`: the demo keeps running, and serves a page on which one searches, saves, and breaks things.
//!
//! The page is an application as any: it writes through a [`StreamedConnection`] whose outbox insures writes while
//! Redis does not answer, and it searches the index, which two worker processes write.
//!
//! # Layout
//! - `app`: what all parts use. `server`: the routes; `security`: their headers, and who may use them.
//! - `page`, `events`, `dashboard`: what they serve.
//! - `save`: a save, and how soon it is found. `acts`: what the buttons do.
//! - `keeper`: the worker processes, which are started again. `redis`: a private Redis, which can be stopped.
//! - `load`: brings in the cities. `look`: counts rows, documents and what is behind.
//! - `board`: what the page shows. `browser`: opens it.

mod acts;
mod app;
mod board;
mod browser;
mod dashboard;
mod events;
mod keeper;
mod load;
mod look;
mod page;
mod redis;
mod save;
mod security;
mod server;

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use redstream_seaorm::{CancellationToken, Insurance, StreamedConnection, Supervisor};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use self::app::App;
use self::board::Board;
use self::keeper::Keeper;
use self::redis::PrivateRedis;
use crate::children::Crew;
use crate::screen::Screen;
use crate::search::typed::Finder;
use crate::servers::Servers;
use crate::stage::Stage;

/// How long tasks have to end.
const GRACE: Duration = Duration::from_secs(10);

/// The options of the page.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Keep running, and serve a page: search, save, kill a worker, stop Redis, and watch it heal
    #[arg(long, conflicts_with = "swap")]
    pub(crate) open: bool,
    /// Print the address of the page, and do not open it in a browser
    #[arg(long, requires = "open")]
    no_browser: bool,
}

/// Serves the page of at most `limit` cities until `stop` ends, and then removes everything.
pub(crate) async fn show(
    servers: &Servers,
    arguments: Arguments,
    limit: usize,
    stop: impl Future<Output = std::io::Result<&'static str>>,
) -> anyhow::Result<()> {
    let mut stop = std::pin::pin!(stop);
    let (redis, stage) = tokio::select! {
        set = set(servers) => set?,
        signal = &mut stop => bail!("stopped by {}", signal?),
    };
    let is_private = redis.is_some();
    let (end, tasks) = (CancellationToken::new(), TaskTracker::new());
    let crew = Crew::new(&stage);

    let served = tokio::select! {
        served = serve(&stage, crew, redis.clone(), &end, &tasks) => served.map(Some),
        signal = &mut stop => signal.map(|_| None).map_err(anyhow::Error::from),
    };
    let outcome = match served {
        Ok(None) => Ok(()),
        Ok(Some((app, url))) => {
            Screen::new().say(format_args!("{url} is the page; ctrl-C ends the demo"));
            if !arguments.no_browser {
                browser::open(&url);
            }
            app.spawn(load::load(app.clone(), limit));
            stop.as_mut().await.map(drop).map_err(anyhow::Error::from)
        }
        Err(error) => Err(error),
    };

    end.cancel();
    tasks.close();
    if tokio::time::timeout(GRACE, tasks.wait()).await.is_err() {
        eprintln!("some work did not end within {} s", GRACE.as_secs());
    }
    let cleaned = if is_private { stage.strike_without_keys().await } else { stage.strike().await };
    if let Some(redis) = redis {
        redis.stop().await;
    }
    outcome.and(cleaned)?;
    Screen::new().say("stopped; nothing is left of it");
    Ok(())
}

/// A private Redis, unless one was named, and the datastores.
async fn set(servers: &Servers) -> anyhow::Result<(Option<PrivateRedis>, Stage)> {
    let redis = match &servers.redis {
        Some(_) => None,
        None => Some(PrivateRedis::start().await?),
    };
    let url = servers.redis.clone().or(redis.as_ref().map(PrivateRedis::url));
    let stage = Stage::set(&Servers { redis: url, ..servers.clone() }).await?;
    Ok((redis, stage))
}

/// Starts everything, and returns the address of the page.
async fn serve(
    stage: &Stage,
    crew: Crew,
    redis: Option<PrivateRedis>,
    end: &CancellationToken,
    tasks: &TaskTracker,
) -> anyhow::Result<(Arc<App>, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    stage.create_table().await?;
    stage.create_outbox().await?;
    let board = Board::of(&stage.site, redis.is_some());
    let keeper = Keeper::start(crew, &stage.site, &board, end, tasks);
    let db = StreamedConnection::builder(stage.database.clone(), stage.redstream.producer())
        .insurance(Insurance::RedisElseOutbox)
        // Each change is handled once, as both sinks compare versions.
        .remove_delay_messages(true)
        .build();
    let relay = Supervisor::new().with(db.relay()).run_until(end.clone().cancelled_owned());
    tasks.spawn(async move { _ = relay.await });
    let app = Arc::new(App {
        site: stage.site.clone(),
        redstream: stage.redstream.clone(),
        stream: stage.stream.clone(),
        database: stage.database.clone(),
        db,
        finder: Finder::of(&stage.site.search)?,
        board,
        keeper,
        redis,
        acting: Arc::default(),
        end: end.clone(),
        tasks: tasks.clone(),
    });

    let url = format!("http://{}/", listener.local_addr()?);
    let router = server::router(&app);
    let serving = axum::serve(listener, router).with_graceful_shutdown(end.clone().cancelled_owned());
    tasks.spawn(async move { _ = serving.await });
    app.spawn(look::keep_looking(app.clone()));
    Ok((app, url))
}
