//! Plain requests to the search server, past the proxy.

use anyhow::{Context as _, Result};
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The status and the body of the answer; `Null` if that is no JSON.
pub(crate) async fn ask(port: u16, method: &str, path: &str, body: &Json) -> Result<(u16, Json)> {
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    // By HTTP 1.0 the end of the connection is that of the answer.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    server.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head")?;
    let status = head.split(' ').nth(1).context("an answer has a status")?.parse()?;
    Ok((status, serde_json::from_str(body).unwrap_or_default()))
}
