//! A page for operators: whether the index follows, and the verbs to mend it.

use axum::Router;
use axum::extract::State;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use redstream_seaorm::{EntityStream, RedstreamExt as _};

use crate::api::{AppError, Shop};
use crate::document;
use crate::entities::{author, book, category};

pub(crate) fn router() -> Router<Shop> {
    Router::new().route("/admin", get(page)).route("/admin/reindex", post(reindex)).route("/admin/verify", post(verify))
}

async fn page(State(shop): State<Shop>) -> Result<Html<String>, AppError> {
    let streams = [
        shop.redstream.of::<book::Entity>()?,
        shop.redstream.of::<author::Entity>()?,
        shop.redstream.of::<category::Entity>()?,
    ];
    let mut rows = Vec::new();
    for stream in streams.iter().flat_map(EntityStream::streams) {
        for consumer in stream.consumers().await? {
            let letters = stream.dead_letters(&consumer)?.count().await?;
            let (lag, age) = (stream.lag(&consumer).await?, stream.lag_time(&consumer).await?);
            let name = stream.name();
            let age = age.as_secs_f64();
            rows.push(format!("<tr><td>{name}<td>{consumer}<td>{lag}<td>{age:.1} s<td>{letters}"));
        }
    }
    let reindexes = shop.redstream.of::<book::Entity>()?.reindexes().list().await?;
    let reindexes = reindexes
        .into_iter()
        .map(|reindex| format!("<li>{}: {}/{} {}", reindex.id, reindex.queued, reindex.estimate, reindex.state));
    Ok(Html(format!(
        "<!doctype html><title>Shop</title><h1>What follows the database</h1>\
         <table><tr><th>stream<th>consumer<th>lag<th>age<th>dead letters{}</table>\
         <p>The workers of this process: <a href=/health>health</a>.</p><h2>Reindexes</h2><ul>{}</ul>\
         <form method=post action=/admin/reindex><button>Reindex all books</button></form>\
         <form method=post action=/admin/verify><button>Verify and repair</button></form>",
        rows.concat(),
        reindexes.collect::<String>(),
    )))
}

/// Compares the index with the database, and mends what differs.
async fn verify(State(shop): State<Shop>) -> Result<String, AppError> {
    let verify = shop.redstream.verify_with_loader(&shop.db, document::load, &shop.index);
    Ok(verify.consumer("search").repair(true).skip_delay(true).run(shop.stop).await?.to_string())
}

/// Queues the key of every book, in the background.
async fn reindex(State(shop): State<Shop>) -> Redirect {
    tokio::spawn(async move {
        let reindex = shop.redstream.reindex::<book::Entity>(&shop.db).consumer("search");
        match reindex.run(shop.stop).await {
            Ok(report) => tracing::info!(keys = report.queued, "all books were indexed again"),
            Err(error) => tracing::error!(%error, "the reindex ended"),
        }
    });
    Redirect::to("/admin")
}
