//! The record of a consumer in Redis, checked when it starts work: its identity, and whether Redis lost anything
//! meanwhile.

use super::Consumer;
use crate::consumer::loss::{Loss, LossKind, Mark};
use crate::error::{Error, Result};
use crate::metrics;
use crate::transport::scripts;
use crate::transport::session::Session;
use crate::worker::LockGuard;
use crate::worker::member::ConsumerKeys;

/// What runs a consumer: an application and what it writes to.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    text: String,
    /// Given by the application; otherwise it was derived.
    is_given: bool,
}

impl Identity {
    pub(super) fn given(text: String) -> Self {
        Self { text, is_given: true }
    }

    /// The name of the program, and the type of its handler.
    pub(super) fn derived(handler: &str) -> Self {
        let program = std::env::current_exe().ok();
        let program =
            program.as_deref().and_then(|path| path.file_stem()).map(|name| name.to_string_lossy().into_owned());
        Self { text: format!("{} with {handler}", program.as_deref().unwrap_or("a program")), is_given: false }
    }
}

impl Consumer {
    /// Records what runs this consumer. Warns if something else was recorded; errors if both were given by their
    /// applications.
    pub(super) async fn identify(&self, session: &Session) -> Result<()> {
        let member = self.member();
        let mut script = scripts::IDENTIFY.prepare_invoke();
        script.key(&member.registry).arg(&self.name).arg(&self.identity.text).arg(u8::from(self.identity.is_given));
        let before: Option<Vec<String>> = session.script("note what runs a consumer", &script).await?;
        let Some([registered, refused]) = before.as_deref() else { return Ok(()) };
        let own = &self.identity.text;
        if refused == "1" {
            return Err(Error::OtherIdentity {
                stream: self.stream.clone(),
                consumer: self.name.clone(),
                own: own.clone(),
                registered: registered.clone(),
            });
        }
        tracing::warn!(
            stream = %self.stream, consumer = self.name, own, registered,
            "this consumer was run by something else before: if two applications share its name, each takes changes away from the \
             other; give each its own namespace, or set Consumer::identity to be sure"
        );
        Ok(())
    }

    /// Reports a loss, whether this process remembers the former state or only the marks in Redis do.
    pub(super) async fn notice_loss(&self, session: &Session, guard: &LockGuard, member: &ConsumerKeys) -> Result<()> {
        let mark = Mark::read(session, member).await?;
        let found = guard.found();
        match self.memory.compare(found).or_else(|| mark.compare(found)) {
            Some(kind) => self.tell_loss(kind),
            None if mark.is_of_another_run() => tracing::info!(
                stream = %self.stream, consumer = self.name,
                "Redis was restarted, or another server took over, since this consumer last worked; with its append-only file nothing \
                 is lost, unless an older backup was restored: then reindex what this consumer feeds (`redstream.reindex`)"
            ),
            None => {}
        }
        // Recorded after the report: if the process dies in between, the next owner reports it.
        mark.note(session, member).await
    }

    fn tell_loss(&self, kind: LossKind) {
        let loss = Loss { stream: self.stream.clone(), consumer: self.name.clone(), kind };
        if kind == LossKind::NoRecord && !self.handler.is_to_be_filled() {
            tracing::debug!(stream = %self.stream, consumer = self.name, %loss, "this consumer begins with the messages that are there");
        } else if kind == LossKind::NoRecord {
            tracing::warn!(
                stream = %self.stream, consumer = self.name, %loss,
                "this consumer begins with the messages that are there; rows that were written before them are not in what it feeds: if \
                 there are any, index it once (`redstream.reindex`)"
            );
        } else {
            ::metrics::counter!(metrics::LOSSES, &self.labels()).increment(1);
            tracing::error!(
                stream = %self.stream, consumer = self.name, %loss,
                "Redis lost messages, or a consumer's place: changes may never come; reindex what this consumer feeds \
                 (`redstream.reindex`)"
            );
        }
        if let Some(on_loss) = &self.on_loss {
            on_loss(loss);
        }
    }
}
