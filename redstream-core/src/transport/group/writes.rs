//! Commands that are not written yet, and the pipelines in flight.

use std::collections::VecDeque;
use std::io;
use std::task::Poll;

/// With this many pipelines in flight, calls wait and go together.
const IN_FLIGHT: usize = 2;

/// The buffer for commands is not kept if it is larger.
const KEPT: usize = 256 << 10;

#[derive(Default)]
pub(super) struct Writes {
    /// The first `written` bytes are written.
    commands: Vec<u8>,
    written: usize,
    /// The system did not accept all of a pipeline that is in flight.
    is_blocked: bool,
    /// How many calls wait for the next pipeline.
    unsent: usize,
    /// How many calls each pipeline in flight has.
    flights: VecDeque<usize>,
}

impl Writes {
    /// Adds a call, whose commands `encode` appends.
    pub(super) fn add<T>(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.unsent += 1;
        encode(&mut self.commands)
    }

    /// Whether another pipeline may begin.
    pub(super) fn have_room(&self) -> bool {
        self.flights.len() < IN_FLIGHT
    }

    /// Whether something may be written now.
    pub(super) fn may_go_on(&self) -> bool {
        self.have_room() || self.is_blocked
    }

    /// Writes all that waits, as one pipeline. Returns whether all is written.
    pub(super) fn write(&mut self, mut write: impl FnMut(&[u8]) -> Poll<io::Result<usize>>) -> io::Result<bool> {
        if self.unsent > 0 {
            self.flights.push_back(std::mem::take(&mut self.unsent));
        }
        while self.written < self.commands.len() {
            match write(&self.commands[self.written..]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => self.written += written?,
                Poll::Pending => {
                    self.is_blocked = true;
                    return Ok(false);
                }
            }
        }
        (self.written, self.is_blocked) = (0, false);
        self.commands.clear();
        self.commands.shrink_to(KEPT);
        Ok(true)
    }

    /// The replies of the oldest call in flight have arrived.
    pub(super) fn answered(&mut self) {
        if let Some(calls) = self.flights.front_mut() {
            *calls -= 1;
            if *calls == 0 {
                self.flights.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(writes: &mut Writes, commands: &[u8]) {
        writes.add(|buffer| buffer.extend_from_slice(commands));
    }

    /// What is written if the system accepts so many bytes at a time, and then no more.
    fn accepting(accepted: &[usize]) -> impl FnMut(&[u8]) -> Poll<io::Result<usize>> {
        let mut accepted = accepted.iter().copied();
        move |bytes| accepted.next().map_or(Poll::Pending, |most| Poll::Ready(Ok(most.min(bytes.len()))))
    }

    #[test]
    fn calls_go_together_while_two_pipelines_are_in_flight() {
        let mut writes = Writes::default();
        for _ in 0..IN_FLIGHT {
            assert!(writes.have_room());
            add(&mut writes, b"one");
            assert!(writes.write(accepting(&[3])).unwrap());
        }
        assert!(!writes.have_room() && !writes.may_go_on());
        add(&mut writes, b"two");
        add(&mut writes, b"three");
        writes.answered();
        let mut seen = Vec::new();
        writes
            .write(|bytes| {
                seen.push(bytes.to_vec());
                Poll::Ready(Ok(bytes.len()))
            })
            .unwrap();
        assert_eq!(seen, [b"twothree"]);
        // Both calls of a pipeline must be answered before it makes room.
        writes.answered();
        assert!(writes.have_room());
        writes.answered();
        writes.answered();
        assert!(writes.flights.is_empty());
    }

    #[test]
    fn what_the_system_does_not_accept_is_written_on_although_no_pipeline_may_begin() {
        let mut writes = Writes::default();
        for accepted in [&[2][..], &[]] {
            add(&mut writes, b"four");
            assert!(!writes.write(accepting(accepted)).unwrap());
        }
        assert!(!writes.have_room() && writes.may_go_on());
        assert!(!writes.write(accepting(&[1])).unwrap());
        assert!(writes.write(accepting(&[3, 9])).unwrap());
        assert!(!writes.may_go_on());
        let closed = writes.write(|_| Poll::Ready(Ok(0)));
        assert!(closed.is_ok(), "there is nothing to write");
        add(&mut writes, b"x");
        assert_eq!(writes.write(|_| Poll::Ready(Ok(0))).unwrap_err().kind(), io::ErrorKind::WriteZero);
    }
}
