//! Our own protocol code for a connection to one server, without TLS: each caller writes and reads in its own task.
//!
//! redis-rs drives each connection from its own task. That suits many concurrent callers, but a lone caller pays two
//! task switches per command. It also builds a tree of values from every reply, which for large replies takes longer
//! than Redis takes to send them. TLS and clusters use redis-rs.

mod socket;
mod token;
mod xadd;
mod xread;

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use redis::aio::ConnectionLike;
use redis::{Cmd, ConnectionInfo, Pipeline, RedisConnectionInfo, RedisError, RedisFuture, RedisResult, Value};

use self::socket::Socket;
use self::token::{Open, Token, token};
use self::xread::XreadReply;
use crate::message::entry::Entry;

pub(crate) use self::socket::reaches;
pub(crate) use self::xadd::{Adding, Target, encode};

/// How much is read at once.
const READ_SIZE: usize = 64 << 10;

/// Messages per pipeline: more do not increase the throughput.
pub(crate) const CHUNK: usize = 250;

/// One request at a time. A request whose future is dropped while it waits leaves the connection usable: the next
/// request skips its replies.
#[derive(Debug)]
pub(crate) struct RespConnection {
    socket: Socket,
    /// Bytes that were received and not consumed yet.
    buffer: BytesMut,
    /// How far the first reply in the buffer has been parsed, and what of it is still to come.
    seen: (usize, Open),
    /// Pending replies of earlier requests.
    pending_replies: usize,
    /// A request or reply was interrupted: the connection is broken.
    broken: bool,
    db: i64,
}

impl RespConnection {
    /// Connects and authenticates. The caller bounds the wait.
    pub(crate) async fn open(info: &ConnectionInfo) -> RedisResult<Self> {
        let socket = Socket::open(info.addr()).await?;
        let settings = info.redis_settings();
        let buffer = BytesMut::with_capacity(READ_SIZE);
        let mut wire =
            Self { socket, buffer, seen: (0, Open::REPLY), pending_replies: 0, broken: false, db: settings.db() };
        wire.sign_in(settings).await?;
        Ok(wire)
    }

    async fn sign_in(&mut self, settings: &RedisConnectionInfo) -> RedisResult<()> {
        let mut hello = redis::pipe();
        if let Some(password) = settings.password() {
            let auth = hello.cmd("AUTH");
            if let Some(username) = settings.username() {
                auth.arg(username);
            }
            auth.arg(password);
        }
        if settings.db() != 0 {
            hello.cmd("SELECT").arg(settings.db());
        }
        if hello.is_empty() {
            return Ok(());
        }
        hello.query_async::<()>(self).await
    }

    /// Sends an `XREAD` of one stream and returns its entries: of any size, but no more once they have reached the
    /// budget, in bytes.
    pub(crate) async fn xread(&mut self, xread: &Cmd, budget: usize) -> RedisResult<Vec<Entry>> {
        self.send(&xread.get_packed_command(), 1).await?;
        let mut reply = XreadReply::within(budget);
        loop {
            while let Some((part, length)) = token(&self.buffer)? {
                // Until its end the reply is neither counted as pending nor complete.
                self.broken = true;
                if let Token::Line(line @ [b'-', ..]) = part {
                    let refusal = refused(line);
                    self.consume(length);
                    return Err(refusal);
                }
                let is_last = reply.take(part)?;
                self.buffer.advance(length);
                if is_last {
                    self.consume(0);
                    return Ok(reply.into_entries());
                }
            }
            self.read().await?;
        }
    }

    /// Sends commands, and skips the pending replies of earlier ones.
    async fn send(&mut self, commands: &[u8], replies: usize) -> RedisResult<()> {
        self.check()?;
        self.broken = true;
        self.socket.write_all(commands).await?;
        self.broken = false;
        self.pending_replies += replies;
        while self.pending_replies > replies {
            self.reply().await?;
        }
        Ok(())
    }

    /// Skips the pending replies of earlier requests.
    async fn drain_replies(&mut self) -> RedisResult<()> {
        self.check()?;
        while self.pending_replies > 0 {
            self.reply().await?;
        }
        Ok(())
    }

    /// So many more replies are to come: the commands are written by [`write_now`](Self::write_now) and
    /// [`poll_write`](Self::poll_write).
    pub(crate) fn expect(&mut self, replies: usize) {
        self.pending_replies += replies;
    }

    /// Writes as much as the system accepts at once.
    pub(crate) fn write_now(&self, commands: &[u8]) -> io::Result<usize> {
        self.socket.write_now(commands)
    }

    /// Writes as much as the system accepts, when it accepts some.
    pub(crate) fn poll_write(&self, context: &mut Context<'_>, commands: &[u8]) -> Poll<io::Result<usize>> {
        self.socket.poll_write(context, commands)
    }

    /// Reads what has arrived, without waiting. Returns whether there was anything.
    pub(crate) fn read_now(&mut self) -> RedisResult<bool> {
        self.buffer.reserve(READ_SIZE);
        match self.socket.read_now(&mut self.buffer) {
            Ok(0) => Err(closed()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the connection is broken.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    fn check(&self) -> RedisResult<()> {
        if self.broken {
            return Err(
                io::Error::new(io::ErrorKind::ConnectionAborted, "an earlier exchange was cut off half way").into()
            );
        }
        Ok(())
    }

    /// The next complete reply. Cancel-safe.
    async fn reply(&mut self) -> RedisResult<Value> {
        std::future::poll_fn(|context| self.poll_reply(context)).await
    }

    /// [`reply`](Self::reply) as a poll function.
    fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<RedisResult<Value>> {
        loop {
            if let Some(value) = self.whole().inspect_err(|_| self.broken = true)? {
                return Poll::Ready(Ok(value));
            }
            ready!(self.poll_read(context))?;
        }
    }

    /// The first reply in the buffer, if it is complete.
    fn whole(&mut self) -> RedisResult<Option<Value>> {
        loop {
            let (end, mut open) = self.seen;
            let Some((part, length)) = token(&self.buffer[end..])? else { return Ok(None) };
            let is_last = open.consume(part);
            let end = end + length;
            self.seen = (end, open);
            if is_last {
                let value = redis::parse_redis_value(&self.buffer[..end])?;
                self.consume(end);
                return Ok(Some(value));
            }
        }
    }

    /// Consumes a reply that ends after this many bytes.
    fn consume(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        self.seen = (0, Open::REPLY);
        self.pending_replies -= 1;
        self.broken = false;
    }

    /// Cancel-safe: what was read is in the buffer.
    async fn read(&mut self) -> RedisResult<()> {
        std::future::poll_fn(|context| self.poll_read(context)).await
    }

    pub(crate) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<RedisResult<()>> {
        self.buffer.reserve(READ_SIZE);
        let read = ready!(self.socket.poll_read(context, &mut self.buffer)).inspect_err(|_| self.broken = true)?;
        if read == 0 {
            self.broken = true;
            return Poll::Ready(Err(closed()));
        }
        Poll::Ready(Ok(()))
    }

    async fn exchange(&mut self, commands: &[u8], replies: usize) -> RedisResult<Vec<Value>> {
        self.send(commands, replies).await?;
        let mut values = Vec::with_capacity(replies);
        for _ in 0..replies {
            values.push(self.reply().await?);
        }
        Ok(values)
    }
}

/// The entries in the received bytes, or nothing if they are not a complete reply to `XREAD`.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read(mut bytes: &[u8], budget: usize) -> RedisResult<Vec<Entry>> {
    let mut reply = XreadReply::within(budget);
    while let Some((part, length)) = token(bytes)? {
        bytes = &bytes[length..];
        if reply.take(part)? {
            return Ok(reply.into_entries());
        }
    }
    Ok(Vec::new())
}

fn closed() -> RedisError {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection").into()
}

/// The error reply of the server.
fn refused(line: &[u8]) -> RedisError {
    let line = [line, b"\r\n"].concat();
    let refusal = redis::parse_redis_value(&line).and_then(Value::extract_error);
    refusal.err().unwrap_or_else(|| token::malformed("a refusal is none"))
}

impl ConnectionLike for RespConnection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let mut values = self.exchange(&cmd.get_packed_command(), 1).await?;
            values.pop().unwrap_or(Value::Nil).extract_error()
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let mut values = self.exchange(&pipeline.get_packed_pipeline(), offset + count).await?;
            Ok(values.split_off(offset))
        })
    }

    fn get_db(&self) -> i64 {
        self.db
    }
}
