//! Marks in Redis by which the next owner of a consumer's lock knows what happened while no worker was running.
//!
//! Each owner records the server's run id, which is new at every start of a server. A loss that no running process
//! remembers shows in that mark: it is missing, it belongs to another server, or the consumer was registered after it
//! had last worked.

use super::LossKind;
use crate::error::{Error, Result};
use crate::transport::scripts;
use crate::transport::session::Session;
use crate::worker::lock::Found;
use crate::worker::member::ConsumerKeys;

const ATTEMPT: &str = "compare a consumer's record with its server";

/// The recorded state of the server, and its current state.
#[derive(Debug)]
pub(crate) struct Mark {
    noted: String,
    server: String,
    /// Unknown if the user may not ask.
    keeps_file: Option<bool>,
    has_place: bool,
    /// Milliseconds of the clock of Redis: about when the last batch was committed, and when the consumer was
    /// registered.
    worked: Option<u64>,
    registered: Option<u64>,
}

impl Mark {
    /// Reads the current state; records nothing.
    pub(crate) async fn read(session: &Session, member: &ConsumerKeys) -> Result<Self> {
        let reply: Vec<String> = session.script(ATTEMPT, &script(member, "")).await?;
        let [noted, server, keeps_file, offset, version, registered] = &reply[..] else {
            return Err(Error::UnexpectedReply { attempt: ATTEMPT.to_owned(), reply: reply.join(" ") });
        };
        Ok(Self {
            noted: noted.clone(),
            server: server.clone(),
            keeps_file: match keeps_file.as_str() {
                "" => None,
                flag => Some(flag == "1"),
            },
            has_place: !offset.is_empty(),
            worked: version.parse().ok().map(|micros: u64| micros / 1000),
            registered: registered.parse().ok(),
        })
    }

    /// Records the server that answered, for the next owner.
    pub(crate) async fn note(&self, session: &Session, member: &ConsumerKeys) -> Result<()> {
        if self.noted != self.server {
            let _reply: Vec<String> = session.script(ATTEMPT, &script(member, &self.server)).await?;
        }
        Ok(())
    }

    /// The loss that follows from the recorded state.
    pub(crate) fn compare(&self, found: &Found) -> Option<LossKind> {
        if !self.noted.is_empty() {
            let is_other = !self.server.is_empty() && self.noted != self.server;
            return (is_other && self.keeps_file == Some(false)).then_some(LossKind::ServerRestarted);
        }
        // The version of a consumer remains when the consumer is forgotten.
        if !self.has_place {
            return Some(LossKind::NoRecord);
        }
        let offset = found.offset?;
        // An offset from before, and a registry entry from after it: nothing waited for this consumer in between.
        (self.has_place && self.worked? < self.registered?).then_some(LossKind::RegistryLost { offset })
    }

    /// Whether the server was restarted since an owner last worked, or is another server.
    pub(crate) fn is_of_another_run(&self) -> bool {
        !self.noted.is_empty() && !self.server.is_empty() && self.noted != self.server
    }
}

fn script(member: &ConsumerKeys, run_id: &str) -> redis::ScriptInvocation<'static> {
    let mut script = scripts::MARK.prepare_invoke();
    script.key(&member.registry).key(&member.offset).key(&member.version).arg(&member.name).arg(run_id);
    script
}
