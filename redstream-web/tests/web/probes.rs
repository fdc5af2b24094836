//! The routes for an orchestrator.

use axum::Router;
use axum::http::StatusCode;
use redstream_core::{Batch, HandlerError, Supervisor};
use serde_json::json;

use crate::support::{eventually, get, redstream};

async fn statuses(probes: &Router) -> [StatusCode; 3] {
    let status = async |path| get(probes, path).await.status;
    [status("/live").await, status("/ready").await, status("/health").await]
}

#[tokio::test]
async fn probes_tell_whether_workers_live_and_are_ready() {
    const OK: StatusCode = StatusCode::OK;
    const NOT: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
    let redstream = redstream().await;
    let books = redstream.stream("books").unwrap();
    let workers = Supervisor::new()
        .with(books.consumer("search", async |_: Batch| Ok::<_, HandlerError>(())))
        .with(books.trimmer());
    let health = workers.health();
    let probes: Router = redstream_web::probes(health.clone());
    assert_eq!(statuses(&probes).await, [OK, NOT, OK], "they have not started");
    let story = async {
        eventually("they are ready", async || statuses(&probes).await == [OK, OK, OK]).await;
        let answer = get(&probes, "/health").await;
        assert_eq!(answer.header("cache-control"), "no-store");
        let told = answer.json();
        assert_eq!((&told["is_live"], &told["is_ready"]), (&json!(true), &json!(true)), "{told}");
        assert_eq!(told["workers"][0]["name"], "consumer search of books");
        assert_eq!(told["workers"].as_array().unwrap().len(), 2);
        health.drain();
        eventually("they are drained", async || health.is_drained()).await;
        assert_eq!(statuses(&probes).await, [OK, NOT, OK], "a drained process is not restarted");
    };
    workers.run_until(story).await.unwrap();
}

#[tokio::test]
async fn a_process_without_workers_is_ready_and_probes_are_merged_into_any_router() {
    let probes: Router = redstream_web::probes(Supervisor::new().health());
    assert_eq!(statuses(&probes).await, [StatusCode::OK; 3]);
    let app: Router<u8> = Router::new().merge(redstream_web::probes(Supervisor::new().health()));
    assert_eq!(statuses(&app.with_state(1)).await, [StatusCode::OK; 3]);
}
