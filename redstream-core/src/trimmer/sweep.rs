//! One sweep: reads which consumers are registered, and trims in a script that checks that this has not changed.

use std::sync::atomic::Ordering;

use super::{Policy, Trimmed, Trimmer};
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::message::MessageId;
use crate::metrics;
use crate::time::millis;
use crate::transport::scripts;
use crate::transport::session::Session;

/// How often the registry may change during one sweep before the sweep is left to the next interval.
const TRIES: usize = 5;

impl Trimmer {
    pub(super) async fn sweep(&self, session: &Session) -> Result<Trimmed> {
        let mut hkeys = redis::cmd("HKEYS");
        hkeys.arg(self.redstream.keys().registry(&self.stream));
        let registered: Vec<String> = session.command("read the registry", &hkeys).await?;
        self.tell_of_unregistered(&registered);
        match self.policy {
            Policy::Committed { keep } => self.committed(session, registered, millis(keep)).await,
            Policy::Expired { after } => self.expired(session, &registered, millis(after)).await,
        }
    }

    async fn committed(&self, session: &Session, mut registered: Vec<String>, keep: u64) -> Result<Trimmed> {
        const ATTEMPT: &str = "trim a stream";
        for _ in 0..TRIES {
            let listed = self.listed.iter().filter(|name| !registered.contains(name));
            let names: Vec<(char, &String)> =
                registered.iter().map(|name| ('r', name)).chain(listed.map(|name| ('l', name))).collect();
            if names.is_empty() {
                return Ok(Trimmed::NoConsumers);
            }
            let keys = self.redstream.keys();
            let mut script = scripts::TRIM.prepare_invoke();
            script.key(keys.stream(&self.stream)).key(keys.registry(&self.stream)).arg(keep);
            for (flag, name) in names {
                script.key(keys.offset(&self.stream, name)).arg(format!("{flag}{name}"));
            }
            failpoint!("trimmer: trimming");
            let reply: Vec<String> = session.script(ATTEMPT, &script).await?;
            failpoint!("trimmer: trimmed");
            let unexpected = || Error::UnexpectedReply { attempt: ATTEMPT.to_owned(), reply: reply.join(" ") };
            let id = |text: &str| text.parse::<MessageId>().map_err(|_| unexpected());
            match reply.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["trimmed", removed, groups] => {
                    self.tell_of_groups(groups);
                    return Ok(self.removed(removed.parse().map_err(|_| unexpected())?));
                }
                ["waiting", name] => return Ok(Trimmed::WaitingFor(name.to_owned())),
                ["beyond", name, offset, last] => {
                    let (offset, last) = (id(offset)?, id(last)?);
                    return Ok(Trimmed::OffsetBeyondStream { consumer: name.to_owned(), offset, last });
                }
                ["registry", ref names @ ..] => registered = names.iter().map(ToString::to_string).collect(),
                _ => return Err(unexpected()),
            }
        }
        Ok(Trimmed::Removed(0))
    }

    async fn expired(&self, session: &Session, registered: &[String], after: u64) -> Result<Trimmed> {
        let keys = self.redstream.keys();
        let mut script = scripts::EXPIRE.prepare_invoke();
        script.key(keys.stream(&self.stream)).arg(after);
        let listed = self.listed.iter().filter(|name| !registered.contains(name));
        for name in registered.iter().chain(listed) {
            script.key(keys.offset(&self.stream, name));
        }
        let (removed, unread): (u64, u64) = session.script("expire messages by age", &script).await?;
        if unread > 0 {
            ::metrics::counter!(metrics::TRIMMED_UNREAD, "stream" => self.stream.to_string()).increment(unread);
            tracing::warn!(
                stream = %self.stream, unread,
                "messages expired that some consumer had not read: it will never see them; \
                 reindex what it feeds (`redstream.reindex`), or trim by what all have committed"
            );
        }
        Ok(self.removed(removed))
    }

    /// Warns, once, of a listed consumer that may be given packs: it is not registered, and others are.
    fn tell_of_unregistered(&self, registered: &[String]) {
        let unregistered = self.listed.iter().find(|name| !registered.contains(name));
        let Some(consumer) = unregistered.filter(|_| self.redstream.is_packed() && !registered.is_empty()) else {
            return;
        };
        if !self.unregistered_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                stream = %self.stream, consumer,
                "this consumer does not register itself, so writers do not know of it, and may write entries of several messages:                  a consumer of the Ruby gem cannot read these and misses them. Set ConnectOptions::packed(false) in each process                  that writes this stream"
            );
        }
    }

    /// Warns, once, of consumer groups of Redis on the stream (`XREADGROUP`), which the registry does not contain.
    fn tell_of_groups(&self, what: &str) {
        if !matches!(what, "kept" | "removed") || self.groups_told.swap(true, Ordering::Relaxed) {
            return;
        }
        if what == "removed" {
            tracing::warn!(
                stream = %self.stream,
                "others read this stream by groups (XGROUP), and this Redis cannot spare what they have not acknowledged: messages \
                 are trimmed once all consumers of Redstream have committed them. Have the others read another stream, or use \
                 Redis 8.2 or later"
            );
        } else {
            tracing::warn!(
                stream = %self.stream,
                "groups of others (XGROUP) have not acknowledged messages that all consumers of Redstream have committed: these \
                 are kept, and fill up Redis. If a group was given up, destroy it"
            );
        }
    }

    fn removed(&self, messages: u64) -> Trimmed {
        ::metrics::counter!(metrics::TRIMMED, "stream" => self.stream.to_string()).increment(messages);
        Trimmed::Removed(messages)
    }

    pub(super) fn report(&self, trimmed: &Trimmed) {
        match trimmed {
            Trimmed::OffsetBeyondStream { consumer, offset, last } => tracing::error!(
                stream = %self.stream, consumer, %offset, %last,
                "a consumer's offset lies beyond the stream's last message: Redis lost messages; \
                 nothing is trimmed until the consumer is rewound and what it feeds is reindexed (`redstream.reindex`)"
            ),
            other => tracing::debug!(stream = %self.stream, outcome = ?other, "swept"),
        }
    }
}
