//! Over HTTP, against real servers.

use anyhow::bail;
use redstream_servers::{REDIS_URL, shared_url};
use reqwest::Client;
use serde_json::json;

use super::*;

#[tokio::test]
async fn each_change_over_http_arrives_in_the_index_and_all_stop_together() -> anyhow::Result<()> {
    let redis = shared_url(REDIS_URL)?;
    let (listener, stop) = (TcpListener::bind("127.0.0.1:0").await?, CancellationToken::new());
    let at = format!("http://{}", listener.local_addr()?);
    let stopped = stop.clone().cancelled_owned();
    let app = tokio::spawn(async move { start(&redis, listener, stopped).await });
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;

    let hello = json!({ "title": "Hello", "text": "World" });
    let created = client.post(format!("{at}/posts")).json(&hello).send().await?;
    assert_eq!(created.status(), 201);
    let id = created.json::<serde_json::Value>().await?["id"].clone();
    finds(&client, &at, "hello", &["Hello"]).await?;

    let goodbye = json!({ "title": "Goodbye", "text": "World" });
    let post = format!("{at}/posts/{id}");
    assert_eq!(client.put(&post).json(&goodbye).send().await?.status(), 200);
    finds(&client, &at, "goodbye", &["Goodbye"]).await?;
    finds(&client, &at, "hello", &[]).await?;
    let listed: serde_json::Value = client.get(format!("{at}/posts")).send().await?.json().await?;
    assert_eq!(listed, json!([{ "id": id, "title": "Goodbye", "text": "World" }]));

    assert_eq!(client.delete(&post).send().await?.status(), 204);
    finds(&client, &at, "goodbye", &[]).await?;
    assert_eq!(client.delete(&post).send().await?.status(), 404);

    let health = client.get(format!("{at}/health")).send().await?;
    assert_eq!(health.status(), 200);
    assert!(health.text().await?.contains("consumer search of posts"));
    stop.cancel();
    drop(client);
    tokio::time::timeout(Duration::from_secs(30), app).await??
}

/// Waits until a search finds exactly these titles, for ten seconds at most.
async fn finds(client: &Client, at: &str, word: &str, titles: &[&str]) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for _ in 0..1000 {
        found = client.get(format!("{at}/search/{word}")).send().await?.json::<Vec<String>>().await?;
        if found == titles {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("“{word}” finds {found:?} instead of {titles:?}, after ten seconds")
}
