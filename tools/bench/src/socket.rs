//! A raw socket: what a command costs without any client library.

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection, one command after the other.
pub(crate) struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Socket {
    pub(crate) async fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 64 << 10] })
    }

    /// Sends commands, and waits until as many replies of one line each have arrived. `XADD`'s is two: length, then id.
    pub(crate) async fn round_trip(&mut self, commands: &[u8], lines: usize) -> Result<()> {
        self.stream.write_all(commands).await?;
        let mut seen = 0;
        while seen < lines {
            let read = self.read().await?;
            ensure!(!read.starts_with(b"-"), "Redis refused: {}", String::from_utf8_lossy(read));
            seen += read.split(|byte| *byte == b'\n').count() - 1;
        }
        Ok(())
    }

    pub(crate) async fn write(&mut self, commands: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(commands).await?)
    }

    /// The bytes that have arrived.
    pub(crate) async fn read(&mut self) -> Result<&[u8]> {
        let read = self.stream.read(&mut self.buffer).await?;
        ensure!(read > 0, "Redis closed the connection");
        self.buffer.get(..read).context("more was read than there is room for")
    }
}

/// A command in the protocol's encoding.
pub(crate) fn packed(words: &[&str]) -> Vec<u8> {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(word);
    }
    command.get_packed_command()
}

/// One HTTP request on a connection of its own. The answer's text, with its head.
pub(crate) async fn http(port: u16, method: &str, path: &str, content: &str, body: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (length, host) = (body.len(), "host: localhost\r\nconnection: close");
    let head =
        format!("{method} {path} HTTP/1.1\r\n{host}\r\ncontent-type: {content}\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
