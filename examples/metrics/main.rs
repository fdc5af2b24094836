//! An application that Prometheus scrapes: its workers, an observer, a verification, and `/metrics`. With
//! `observability/prometheus.yml` Prometheus scrapes this one, and evaluates the alerts beside it.
//!
//! Needs a Redis: the first argument, or `REDIS_URL`, or the one on this machine.
//!
//! ```sh
//! cargo run -p redstream-examples --example metrics
//! curl http://127.0.0.1:9464/metrics
//! prometheus --config.file=observability/prometheus.yml --storage.tsdb.path=/tmp/prometheus
//! ```

use std::time::Duration;

use axum::{Router, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use redstream_seaorm::{
    ConnectOptions, Redstream, RedstreamExt as _, Rows, StreamedConnection, Verify, Workers, stop_signal,
};
use sea_orm::{ActiveValue::Set, ConnectionTrait as _, Database, DatabaseConnection, Schema, entity::prelude::*};
use tokio::net::TcpListener;

use index::Index;

mod city;
mod index;
#[cfg(test)]
mod tests;

/// Of histograms, in seconds. By default the exporter gives quantiles of each process, which cannot be combined.
const BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0];

/// Where metrics of this process go from now on.
fn recorder() -> anyhow::Result<PrometheusHandle> {
    let histograms = Matcher::Suffix("_seconds".to_owned());
    Ok(PrometheusBuilder::new().set_buckets_for_metric(histograms, &BUCKETS)?.install_recorder()?)
}

fn router(metrics: PrometheusHandle) -> Router {
    Router::new().route("/metrics", get(async move || metrics.render()))
}

struct App {
    redstream: Redstream,
    sqlite: DatabaseConnection,
    db: StreamedConnection,
    index: Index,
}

impl App {
    async fn open(redis: ConnectOptions, sqlite: &str) -> anyhow::Result<Self> {
        let redstream = Redstream::connect(redis).await?;
        let sqlite = Database::connect(sqlite).await?;
        sqlite.execute(&Schema::new(sqlite.get_database_backend()).create_table_from_entity(city::Entity)).await?;
        let db = StreamedConnection::new(sqlite.clone(), redstream.producer());
        Ok(Self { redstream, sqlite, db, index: Index::default() })
    }

    /// `every`: the time between two looks of the observer.
    fn workers(&self, every: Duration) -> Workers {
        let observer = self.redstream.observer().every(every);
        self.redstream.workers(&self.db).index("search", Rows, self.index.clone()).worker(observer)
    }

    fn verify(&self) -> Verify<'static, city::Entity> {
        let verify = Verify::new(&self.redstream, self.sqlite.clone(), self.index.clone());
        verify.consumer("search").target("search")
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter("warn,redstream=info").init();
    let metrics = recorder()?;
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    let redis = ConnectOptions::new(url.unwrap_or_else(|| "redis://127.0.0.1/".to_owned()));
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display());
    let app = App::open(redis.namespace("redstream-metrics"), &file).await?;
    let verify = app.verify().every(Duration::from_secs(3600));
    let workers = app.workers(Duration::from_secs(15)).worker(verify).start()?;

    let listener = TcpListener::bind("127.0.0.1:9464").await?;
    println!("metrics are at http://{}/metrics until ctrl-C or SIGTERM", listener.local_addr()?);
    let told = stop_signal()?;
    let served = axum::serve(listener, router(metrics)).with_graceful_shutdown(async { _ = told.await });
    tokio::select! {
        served = served => served?,
        written = write(&app.db) => written?,
    }
    workers.shutdown().await?;
    Ok(())
}

/// A city each second, and each hundredth one without a name, which the index refuses.
async fn write(db: &StreamedConnection) -> Result<(), DbErr> {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    for id in 1.. {
        second.tick().await;
        let name = if id % 100 == 0 { String::new() } else { format!("city {id}") };
        city::ActiveModel { id: Set(id), name: Set(name) }.insert(db).await?;
    }
    Ok(())
}
