//! The connection, and the calls whose replies are still to come.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::task::{Context, Poll, ready};

use redis::RedisResult;

use crate::message::{NewMessage, StreamName};
use crate::transport::group::aftermath::Aftermath;
use crate::transport::group::request::{Caller, Outcome, Request, Then};
use crate::transport::group::writes::Writes;
use crate::transport::resp::{RespConnection, Target, encode};

#[derive(Default)]
pub(super) struct State {
    pub(super) wire: Wire,
    writes: Writes,
    /// The number of the first call whose replies are still to come. Those behind it have the numbers that follow.
    first: u64,
    pending: VecDeque<Request>,
    /// Calls that have ended, and whose callers have not asked.
    ended: BTreeMap<u64, Outcome>,
    /// The caller that the socket wakes.
    reader: Option<u64>,
    /// A task looks at the connection for calls that nothing waits for.
    pub(super) is_attended: bool,
}

#[derive(Default)]
pub(super) enum Wire {
    #[default]
    Absent,
    /// A caller opens it.
    Opening,
    Open(Box<RespConnection>),
    /// Redis refused something: it may have become a replica, so that another server must be found. Replies are still
    /// to come, and nothing more is sent.
    Closing(Box<RespConnection>),
    /// With TLS, and with a cluster.
    Impossible,
}

impl Wire {
    fn connection(&mut self) -> Option<&mut RespConnection> {
        if let Self::Open(wire) | Self::Closing(wire) = self { Some(wire) } else { None }
    }

    /// Nothing more is sent.
    fn close(&mut self) {
        *self = match std::mem::take(self) {
            Self::Open(wire) => Self::Closing(wire),
            other => other,
        };
    }
}

impl State {
    /// Returns the number of the call.
    pub(super) fn send(
        &mut self,
        target: impl Fn(&StreamName) -> Target,
        messages: &[NewMessage],
    ) -> Option<(u64, Aftermath)> {
        let Wire::Open(wire) = &mut self.wire else { return None };
        let adding = self.writes.add(|commands| encode(target, messages, commands));
        wire.expect(adding.expected());
        let number = self.first + self.pending.len() as u64;
        self.pending.push_back(Request::new(adding));
        let mut aftermath = Aftermath::default();
        if self.send_now(&mut aftermath).is_err() {
            self.fail(&mut aftermath);
        }
        Some((number, aftermath))
    }

    /// Writes what may be written, without waiting.
    fn send_now(&mut self, aftermath: &mut Aftermath) -> RedisResult<()> {
        if !self.writes.have_room() {
            // A reply that has arrived makes room.
            self.read_now(aftermath)?;
        }
        if self.writes.have_room() && !self.write_now()? {
            self.wake_reader(aftermath);
        }
        Ok(())
    }

    /// Takes the replies that have arrived.
    fn read_now(&mut self, aftermath: &mut Aftermath) -> RedisResult<()> {
        let Some(wire) = self.wire.connection() else { return Ok(()) };
        if wire.read_now()? { self.deliver(aftermath) } else { Ok(()) }
    }

    /// Returns whether all is written.
    fn write_now(&mut self) -> io::Result<bool> {
        let Some(wire) = self.wire.connection() else { return Ok(true) };
        self.writes.write(|commands| match wire.write_now(commands) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            written => Poll::Ready(written),
        })
    }

    pub(super) fn poll(&mut self, number: u64, context: &mut Context<'_>) -> (Poll<Outcome>, Aftermath) {
        let mut aftermath = Aftermath::default();
        if let Some(request) = self.request(number) {
            // It is running, so it need not be woken.
            request.caller = Caller::Busy;
        }
        loop {
            if let Some(outcome) = self.ended.remove(&number) {
                self.leave(number, &mut aftermath);
                return (Poll::Ready(outcome), aftermath);
            }
            if self.request(number).is_none() {
                return (Poll::Ready(Outcome::Failed(Vec::new())), aftermath);
            }
            match self.progress(context, &mut aftermath) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => self.fail(&mut aftermath),
                Poll::Pending => {
                    if let Some(request) = self.request(number) {
                        request.caller = Caller::Waits(context.waker().clone());
                    }
                    self.reader = Some(number);
                    return (Poll::Pending, aftermath);
                }
            }
        }
    }

    /// Writes what may be written, and takes the replies that have arrived.
    fn progress(&mut self, context: &mut Context<'_>, aftermath: &mut Aftermath) -> Poll<RedisResult<()>> {
        let Some(wire) = self.wire.connection() else { return Poll::Ready(Err(closed().into())) };
        if self.writes.may_go_on() {
            // If not all is written, the caller is woken to continue.
            self.writes.write(|commands| wire.poll_write(context, commands))?;
        }
        ready!(wire.poll_read(context))?;
        Poll::Ready(self.deliver(aftermath))
    }

    /// Gives the replies in the buffer to the calls that they are for.
    fn deliver(&mut self, aftermath: &mut Aftermath) -> RedisResult<()> {
        let Some(wire) = self.wire.connection() else { return Ok(()) };
        let mut is_refused = false;
        while let Some(request) = self.pending.front_mut() {
            if !request.take_replies(wire)? {
                break;
            }
            let Some(request) = self.pending.pop_front() else { break };
            is_refused |= request.is_refused();
            end(&mut self.ended, self.first, request, aftermath);
            self.first += 1;
            self.writes.answered();
        }
        if is_refused {
            self.wire.close();
        }
        if self.pending.is_empty() && matches!(self.wire, Wire::Closing(_)) {
            self.fail(aftermath);
        }
        Ok(())
    }

    /// Closes the connection: calls whose replies are still to come fail.
    fn fail(&mut self, aftermath: &mut Aftermath) {
        self.wire = Wire::Absent;
        for request in std::mem::take(&mut self.pending) {
            end(&mut self.ended, self.first, request, aftermath);
            self.first += 1;
        }
        self.writes = Writes::default();
        self.reader = None;
    }

    /// The same, if this call still waits.
    pub(super) fn give_up(&mut self, number: u64) -> Aftermath {
        let mut aftermath = Aftermath::default();
        if self.request(number).is_some() {
            self.fail(&mut aftermath);
        }
        aftermath
    }

    pub(super) fn abandon(&mut self, number: u64) -> Aftermath {
        let mut aftermath = Aftermath::default();
        self.ended.remove(&number);
        if let Some(request) = self.request(number) {
            request.caller = Caller::Gone;
        }
        self.leave(number, &mut aftermath);
        aftermath
    }

    /// Returns whether a task looks at the connection for those that nothing waits for; if not, one has to begin.
    pub(super) fn detach(&mut self, number: u64, then: Then) -> (bool, Aftermath) {
        let mut aftermath = Aftermath::default();
        // Also if two pipelines are in flight: no caller may be there to write it later.
        if self.write_now().is_err() {
            self.fail(&mut aftermath);
        }
        let mut is_attended = true;
        match self.request(number) {
            Some(request) => {
                request.caller = Caller::Detached(then);
                is_attended = std::mem::replace(&mut self.is_attended, true);
            }
            None => aftermath.ended.extend(self.ended.remove(&number).map(|outcome| (then, outcome))),
        }
        self.leave(number, &mut aftermath);
        (is_attended, aftermath)
    }

    /// Closes a connection that is to be closed and whose replies have all arrived.
    pub(super) fn close_if_answered(&mut self) -> Aftermath {
        let mut aftermath = Aftermath::default();
        if matches!(self.wire, Wire::Closing(_)) && self.read_now(&mut aftermath).is_err() {
            self.fail(&mut aftermath);
        }
        aftermath
    }

    /// Reads and writes, without waiting. Returns the number of the oldest call, if there is one that nothing waits
    /// for.
    pub(super) fn attend(&mut self) -> (Option<u64>, Aftermath) {
        let mut aftermath = Aftermath::default();
        if self.read_now(&mut aftermath).is_err() || self.write_now().is_err() {
            self.fail(&mut aftermath);
        }
        // Under the lock: who comes next must know whether a task looks.
        self.is_attended = self.pending.iter().any(|request| matches!(request.caller, Caller::Detached(_)));
        (self.is_attended.then_some(self.first), aftermath)
    }

    /// Another caller reads, if this one did.
    fn leave(&mut self, number: u64, aftermath: &mut Aftermath) {
        if self.reader.is_none_or(|reader| reader == number) {
            // The newest: the replies of all others come before its own.
            let waits = |(at, request): (usize, &Request)| Some((at, request.waker()?.clone()));
            let next = self.pending.iter().enumerate().rev().find_map(waits);
            self.reader = next.as_ref().map(|(at, _)| self.first + *at as u64);
            aftermath.woken.extend(next.map(|(_, waker)| waker));
        }
    }

    /// It has to wait until more can be written.
    fn wake_reader(&mut self, aftermath: &mut Aftermath) {
        let reader = self.reader.and_then(|reader| self.request(reader));
        aftermath.woken.extend(reader.and_then(|request| request.waker().cloned()));
    }

    fn request(&mut self, number: u64) -> Option<&mut Request> {
        let at = number.checked_sub(self.first)?;
        self.pending.get_mut(usize::try_from(at).ok()?)
    }
}

/// Tells the caller.
fn end(ended: &mut BTreeMap<u64, Outcome>, number: u64, request: Request, aftermath: &mut Aftermath) {
    let (caller, outcome) = request.ended();
    match caller {
        Caller::Gone => return,
        Caller::Detached(then) => return aftermath.ended.push((then, outcome)),
        Caller::Waits(waker) => aftermath.woken.push(waker),
        Caller::Busy => {}
    }
    ended.insert(number, outcome);
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the connection is closed")
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pending, ended) = (self.pending.len(), self.ended.len());
        f.debug_struct("State").field("pending", &pending).field("ended", &ended).finish_non_exhaustive()
    }
}
