//! Removing what a run left in Redis.

use anyhow::Context as _;

/// Removes all keys of a namespace.
pub(crate) async fn remove_keys(redis_url: &str, namespace: &str) -> anyhow::Result<()> {
    let pattern = format!("{namespace}:*");
    let mut redis = redis::Client::open(redis_url)?.get_multiplexed_async_connection().await?;
    let mut cursor = 0_u64;
    loop {
        let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg(&["MATCH", &pattern, "COUNT", "1000"])
            .query_async(&mut redis)
            .await
            .context("cannot list the keys")?;
        if !keys.is_empty() {
            let (): () = redis::cmd("UNLINK").arg(keys).query_async(&mut redis).await.context("cannot remove keys")?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}
