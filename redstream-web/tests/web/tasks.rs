//! Work of the application: started, followed, stopped; and reindexes.

use std::time::Duration;

use axum::http::StatusCode;
use redstream_core::CancellationToken;
use redstream_web::TaskRun;
use serde_json::json;

use crate::support::{OURS, Recorded, eventually, get, post, redstream};

#[tokio::test]
async fn a_task_is_started_once_shows_its_progress_and_is_stopped() {
    let server = CancellationToken::new();
    let router = Recorded::default()
        .dashboard(redstream().await)
        .every(Duration::from_millis(100))
        .shutdown(server.clone())
        .task("verify books", async |run: TaskRun| {
            run.progress(3, 10, "3 of 10");
            run.shutdown().cancelled().await;
            Ok("stopped after 3".to_owned())
        })
        .task("fails", async |_| Err("no <index>".into()))
        .task("panics", async |_| panic!("a task that panics"))
        .into_router();
    let body = |task: &str| json!({ "task": task });
    let state = async |at: usize| get(&router, "/status").await.json()["tasks"][at].clone();
    assert_eq!(state(0).await["state"], "idle");

    assert_eq!(post(&router, "/actions/task-start", &OURS, &body("verify books")).await.status, StatusCode::OK);
    let again = post(&router, "/actions/task-start", &OURS, &body("verify books")).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{again:?}");
    eventually("its progress", async || state(0).await["text"] == "3 of 10").await;
    let running = state(0).await;
    assert_eq!((&running["state"], &running["done"], &running["total"]), (&json!("running"), &json!(3), &json!(10)));
    assert_eq!(running["user"], "ann");
    assert_eq!(post(&router, "/actions/task-stop", &OURS, &body("verify books")).await.status, StatusCode::OK);
    eventually("its end", async || state(0).await["state"] == "done").await;
    assert_eq!(state(0).await["text"], "stopped after 3");

    assert_eq!(post(&router, "/actions/task-start", &OURS, &body("verify books")).await.status, StatusCode::OK);
    server.cancel();
    eventually("it ends with the server", async || state(0).await["state"] == "done").await;

    for task in ["fails", "panics"] {
        assert_eq!(post(&router, "/actions/task-start", &OURS, &body(task)).await.status, StatusCode::OK);
    }
    eventually("its failure", async || state(1).await["text"] == "no <index>").await;
    eventually("its panic", async || state(2).await["state"] == "failed").await;
    assert_eq!(post(&router, "/actions/task-stop", &OURS, &body("fails")).await.status, StatusCode::CONFLICT);
    assert_eq!(post(&router, "/actions/task-start", &OURS, &body("other")).await.status, StatusCode::NOT_FOUND);
}
