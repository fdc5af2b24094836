//! TCP, or a Unix socket.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use redis::{ConnectionAddr, ConnectionInfo, RedisResult};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Whether a [`Socket`] can connect there.
pub(crate) fn reaches(info: &ConnectionInfo) -> bool {
    match info.addr() {
        ConnectionAddr::Unix(_) => cfg!(unix),
        address => matches!(address, ConnectionAddr::Tcp(..)),
    }
}

impl Socket {
    pub(super) async fn open(address: &ConnectionAddr) -> RedisResult<Self> {
        match address {
            ConnectionAddr::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Ok(Self::Tcp(stream))
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => Ok(Self::Unix(UnixStream::connect(path).await?)),
            _ => Err((redis::ErrorKind::InvalidClientConfig, "it is neither TCP nor a Unix socket").into()),
        }
    }

    /// Not cancel-safe: some of it may have been written.
    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes).await,
            #[cfg(unix)]
            Self::Unix(stream) => stream.write_all(bytes).await,
        }
    }

    /// Writes as much as the system accepts at once.
    pub(super) fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.try_write(bytes),
        }
    }

    /// The same, when it accepts some.
    pub(super) fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self {
                Self::Tcp(stream) => ready!(stream.poll_write_ready(context))?,
                #[cfg(unix)]
                Self::Unix(stream) => ready!(stream.poll_write_ready(context))?,
            }
            match self.write_now(bytes) {
                // It was not ready after all: wait again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    /// Appends the received bytes to the buffer. Returns how many; zero if the other end has closed.
    pub(super) fn read_now(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read_buf(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.try_read_buf(buffer),
        }
    }

    /// The same, when there are some.
    pub(super) fn poll_read(&self, context: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        loop {
            match self {
                Self::Tcp(stream) => ready!(stream.poll_read_ready(context))?,
                #[cfg(unix)]
                Self::Unix(stream) => ready!(stream.poll_read_ready(context))?,
            }
            match self.read_now(buffer) {
                // It was not ready after all: wait again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
    }
}
