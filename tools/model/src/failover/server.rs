//! A server, and what is replicated from one to another.

/// What a server has. A message's id is its position in the stream, from 1 on, and each message belongs to one change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Server {
    pub(super) main: Vec<u8>,
    pub(super) delays: Vec<u8>,
    pub(super) offset: u8,
}

/// What is replicated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Command {
    Delay(u8),
    Main(u8),
    RemoveDelay(u8),
    AnnounceAndRemove(u8),
    Offset(u8),
    /// The delayer moves the oldest delay message.
    Move,
}

impl Server {
    pub(super) fn run(&mut self, command: &Command) {
        match command {
            Command::Delay(change) => self.delays.push(*change),
            Command::Main(change) => self.main.push(*change),
            Command::RemoveDelay(change) => self.delays.retain(|delay| delay != change),
            Command::AnnounceAndRemove(change) => {
                self.main.push(*change);
                self.delays.retain(|delay| delay != change);
            }
            Command::Offset(id) => self.offset = *id,
            Command::Move => {
                if !self.delays.is_empty() {
                    self.main.push(self.delays.remove(0));
                }
            }
        }
    }

    pub(super) fn last(&self) -> u8 {
        u8::try_from(self.main.len()).unwrap_or(u8::MAX)
    }
}
