//! How many messages Redis was given: this distinguishes a streamed run from one that only appears to be.

use anyhow::{Context, Result};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// All messages since this Redis was started, by its own count of XADD. So no client of Redis is needed here.
pub(crate) fn written(redis: &str) -> Result<u64> {
    let address = redis.trim_start_matches("redis://").trim_end_matches('/');
    let mut connection = TcpStream::connect(address).with_context(|| format!("could not connect to {redis}"))?;
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    connection.write_all(b"INFO commandstats\r\n")?;
    let mut reply = BufReader::new(connection);
    let mut length = String::new();
    reply.read_line(&mut length)?;
    let length = length.trim().strip_prefix('$').and_then(|length| length.parse().ok());
    let mut text = vec![0; length.with_context(|| format!("{redis} does not tell its statistics"))?];
    reply.read_exact(&mut text)?;
    Ok(calls_of_xadd(&String::from_utf8_lossy(&text)))
}

fn calls_of_xadd(statistics: &str) -> u64 {
    let xadd = statistics.lines().find_map(|line| line.strip_prefix("cmdstat_xadd:calls="));
    xadd.and_then(|rest| rest.split(',').next()).and_then(|calls| calls.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::calls_of_xadd;

    #[test]
    fn messages_are_what_redis_counts() {
        let statistics = "# Commandstats\r\ncmdstat_info:calls=1,usec=2\r\ncmdstat_xadd:calls=17,usec=86\r\n";
        assert_eq!(calls_of_xadd(statistics), 17);
        assert_eq!(calls_of_xadd("# Commandstats\r\n"), 0);
    }
}
