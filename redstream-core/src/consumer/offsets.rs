//! Offsets: the position of each consumer. They move forward only, and only by the lock's owner.

use crate::consumer::dead_letters::Dead;
use crate::error::{Error, Result};
use crate::message::{MessageId, StreamName};
use crate::redstream::Redstream;
use crate::time::millis;
use crate::transport::scripts;
use crate::worker::LockGuard;

/// The offsets of a stream's consumers.
#[derive(Clone, Debug)]
pub struct OffsetStore {
    redstream: Redstream,
    stream: StreamName,
}

/// The result of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// False if the stored offset was already there, or further.
    pub stored: bool,
    /// A version that the same script issued: greater than every one before it.
    pub version: u64,
}

impl OffsetStore {
    pub(crate) fn new(redstream: Redstream, stream: StreamName) -> Self {
        Self { redstream, stream }
    }

    /// The id of the last entry that `consumer` committed, which is that of its last message; `None` if it has
    /// committed nothing.
    ///
    /// # Errors
    ///
    /// If the name is not usable, or Redis does not answer.
    pub async fn get(&self, consumer: &str) -> Result<Option<MessageId>> {
        const ATTEMPT: &str = "read an offset";
        let mut get = redis::cmd("GET");
        get.arg(self.redstream.keys().offset(&self.stream, consumer));
        let text: Option<String> = self.redstream.link().command(ATTEMPT, &get).await?;
        text.map(|text| {
            text.parse().map_err(|_| Error::UnexpectedReply {
                attempt: ATTEMPT.to_owned(),
                reply: text.chars().take(64).collect(),
            })
        })
        .transpose()
    }

    /// Stores the offset of the consumer whose lock `guard` holds, if it is newer than the stored one.
    ///
    /// `id`: of the last message that was handled. If other messages of its entry follow, the offset stays before that
    /// entry.
    ///
    /// One script, so that the check and the write are atomic.
    ///
    /// # Errors
    ///
    /// [`Error::LockLost`] if another process owns the lock by now; [`Error::Forgotten`] or [`Error::Paused`]. In all
    /// three cases nothing is stored, and the messages are repeated.
    pub async fn commit(&self, guard: &LockGuard, id: MessageId) -> Result<Committed> {
        let own = guard.ownership().keys.member.as_ref().is_some_and(|member| member.stream_name == self.stream);
        if !own {
            let reason = format!("it is not the lock of a consumer of stream {}", self.stream);
            return Err(Error::InvalidOption { option: "guard", reason });
        }
        commit(guard, id, 0, &[]).await
    }
}

/// `floor` exceeds every version this process has seen; `dead` goes to the dead letters in the same script.
pub(crate) async fn commit(guard: &LockGuard, id: MessageId, floor: u64, dead: &[Dead]) -> Result<Committed> {
    const ATTEMPT: &str = "commit an offset";
    let ownership = guard.ownership();
    let Some(member) = &ownership.keys.member else {
        return Err(Error::InvalidOption { option: "guard", reason: "a trimmer's lock has no offset".to_owned() });
    };
    let mut script = scripts::COMMIT.prepare_invoke();
    script.key(&ownership.keys.lock).key(&member.offset).key(&member.registry).key(&member.version);
    if !dead.is_empty() {
        script.key(&member.dead_letters);
    }
    script.arg(&ownership.token).arg(millis(ownership.ttl)).arg(&member.name).arg(id.offset().to_string()).arg(floor);
    for letter in dead {
        let (payload, whole) = letter.kept();
        let (id, index) = letter.place();
        script.arg(payload).arg(id).arg(index).arg(&letter.error).arg(letter.attempts).arg(whole);
    }
    let reply: Vec<String> = ownership.session.script(ATTEMPT, &script).await?;
    let unexpected = || Error::UnexpectedReply { attempt: ATTEMPT.to_owned(), reply: reply.join(" ") };
    match reply.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [outcome @ ("stored" | "not newer"), version] => {
            let version = version.parse().map_err(|_| unexpected())?;
            Ok(Committed { stored: outcome == "stored", version })
        }
        [refusal] => Err(ownership.refused(ATTEMPT, refusal)),
        _ => Err(unexpected()),
    }
}
