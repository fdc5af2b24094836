//! Finds keys by a pattern, on one server or on each master of a cluster.

use redis::{Cmd, RedisResult, Value};

use crate::transport::connection::Connection;

/// How many keys a server looks at per call: about a millisecond of its time.
const STEP: usize = 1000;

/// Passes the name of each key that matches to `visit`, some of them more than once. Keys that are added or removed
/// meanwhile may be left out.
pub(crate) async fn each_key(
    connection: &mut Connection,
    pattern: &str,
    mut visit: impl FnMut(&str) + Send,
) -> RedisResult<()> {
    for (node, first) in connection.ask_each(&scan("0", pattern)).await? {
        let (mut cursor, mut keys) = page(first?)?;
        loop {
            // A key that is no text is none of ours.
            keys.iter().filter_map(|key| std::str::from_utf8(key).ok()).for_each(&mut visit);
            if cursor == "0" {
                break;
            }
            (cursor, keys) = page(connection.ask(node.as_deref(), &scan(&cursor, pattern)).await?)?;
        }
    }
    Ok(())
}

fn scan(cursor: &str, pattern: &str) -> Cmd {
    let mut scan = redis::cmd("SCAN");
    scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(STEP);
    scan
}

fn page(answer: Value) -> RedisResult<(String, Vec<Vec<u8>>)> {
    Ok(redis::from_redis_value(answer)?)
}
