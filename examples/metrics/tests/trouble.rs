//! Everything that the dashboard and the alerts are about, brought about.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::aio::MultiplexedConnection;
use redstream_seaorm::core::Error;
use redstream_seaorm::{Batch, CancellationToken, Consumer, Handler, HandlerError, Start, Stream, Worker, async_trait};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

use super::{App, NAMESPACE, SOON, city, eventually};

/// A message that is an hour old, however young the stream is.
const HOUR: Duration = Duration::from_secs(3600);

/// A worker that is restarted again and again.
pub(super) struct Restless;

#[async_trait]
impl Worker for Restless {
    fn name(&self) -> String {
        "restless".to_owned()
    }

    async fn run(&self, _: CancellationToken) -> Result<(), Error> {
        panic!("on purpose")
    }
}

/// Redis, as another client sees it.
pub(super) struct Raw(MultiplexedConnection);

impl Raw {
    pub(super) async fn connect(url: &str) -> anyhow::Result<Self> {
        Ok(Self(redis::Client::open(url)?.get_multiplexed_async_connection().await?))
    }

    fn key(rest: &str) -> String {
        format!("{NAMESPACE}:redstream:{rest}")
    }

    /// Adds a message to a stream: now, or as if that had been an hour ago.
    pub(super) async fn add(&mut self, stream: &str, is_old: bool) -> anyhow::Result<()> {
        let id = if is_old {
            format!("{}-0", (SystemTime::now() - HOUR).duration_since(UNIX_EPOCH)?.as_millis())
        } else {
            "*".to_owned()
        };
        let mut add = redis::cmd("XADD");
        add.arg(Self::key(&format!("stream:{stream}"))).arg(id).arg("payload").arg("1");
        Ok(add.exec_async(&mut self.0).await?)
    }

    async fn set(&mut self, option: &str, value: &str) -> anyhow::Result<()> {
        Ok(redis::cmd("CONFIG").arg("SET").arg(option).arg(value).exec_async(&mut self.0).await?)
    }

    async fn used_memory(&mut self) -> anyhow::Result<u64> {
        let info: redis::InfoDict = redis::cmd("INFO").arg("memory").query_async(&mut self.0).await?;
        Ok(info.get("used_memory").unwrap_or_default())
    }
}

/// Of every alert but the one about the observer, the cause.
pub(super) async fn bring_about(app: &App, raw: &mut Raw) -> anyhow::Result<()> {
    let stream = |name: &str| app.redstream.stream(name);
    // No worker runs. The test adds messages.
    stream("orphan")?.register("search", Start::Earliest).await?;
    raw.add("orphan", true).await?;
    stream("paused")?.register("search", Start::Earliest).await?;
    stream("paused")?.pause("search", SOON).await?;
    stream("late")?.delayer(Duration::from_secs(60)).run_once().await?;
    raw.add("late.delay", true).await?;
    // The index refuses it. Since another one succeeds, it is not taken for an outage.
    for (id, name) in [(100, ""), (101, "Ulm")] {
        city::ActiveModel { id: Set(id), name: Set(name.to_owned()) }.insert(&app.db).await?;
    }
    app.index.cities().insert(102, "not in the table".to_owned());
    eventually("the city beside the refused one", async || Ok(app.index.cities().contains_key(&101))).await?;
    let report = app.verify().skip_delay(true).run(CancellationToken::new()).await?;
    anyhow::ensure!(report.extra == 1, "{report:?}");

    let bypass = city::Entity::update_many().col_expr(city::Column::Name, Expr::value("Bonn"));
    bypass.filter(city::Column::Id.eq(1)).exec(&app.db).await?;
    lose_a_lock(&stream("thief")?, raw).await?;
    lose_an_offset(&stream("forgetful")?, raw).await?;
    move_and_trim(app, &stream("moved")?).await?;

    raw.set("appendonly", "no").await?;
    let limit = raw.used_memory().await? / 10 * 11;
    raw.set("maxmemory-policy", "allkeys-lru").await?;
    raw.set("maxmemory", &limit.to_string()).await
}

fn consumer(stream: &Stream, handler: impl Handler) -> Consumer {
    stream.consumer("search", handler)
}

/// Another host takes the lock while the batch is handled.
async fn lose_a_lock(stream: &Stream, raw: &mut Raw) -> anyhow::Result<()> {
    raw.add("thief", false).await?;
    let connection = raw.0.clone();
    let thief = move |_: Batch| {
        let mut connection = connection.clone();
        async move {
            let lock = Raw::key("lock:consumer:thief:search");
            redis::cmd("SET").arg(lock).arg("f".repeat(32)).arg("PX").arg(100).exec_async(&mut connection).await?;
            Ok::<_, HandlerError>(())
        }
    };
    anyhow::ensure!(consumer(stream, thief).run_once().await.is_err());
    Ok(())
}

async fn lose_an_offset(stream: &Stream, raw: &mut Raw) -> anyhow::Result<()> {
    let consumer = consumer(stream, async |_: Batch| Ok::<_, HandlerError>(()));
    raw.add("forgetful", false).await?;
    consumer.run_once().await?;
    redis::cmd("DEL").arg(Raw::key("offset:forgetful:search")).exec_async(&mut raw.0).await?;
    consumer.run_once().await?;
    Ok(())
}

/// A delay message whose main message was lost is moved, handled and trimmed.
async fn move_and_trim(app: &App, stream: &Stream) -> anyhow::Result<()> {
    app.redstream.producer().delay(stream.name(), &1).await?;
    let (delayer, consumer) =
        (stream.delayer(Duration::from_millis(1)), consumer(stream, async |_: Batch| Ok::<_, HandlerError>(())));
    eventually("the delay message to be moved", async || {
        delayer.run_once().await?;
        Ok(stream.delay_len().await? == 0)
    })
    .await?;
    consumer.run_once().await?;
    stream.trimmer().run_once().await?;
    anyhow::ensure!(stream.is_empty().await?);
    Ok(())
}
