//! One open transaction or savepoint: what it has to announce once it is committed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use redstream_core::NewMessage;

use crate::Error;
use crate::context::Context;
use crate::insurance::Insurance;
use crate::level::Level;
use crate::unkeyed::Unkeyed;

/// Keys to announce belong to the savepoint: its rollback drops them, its release hands them to the level above. Insured keys
/// belong to the whole transaction.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) context: Arc<Context>,
    pub(crate) insurance: Arc<Insurance>,
    pub(crate) level: Level,
    parent: Option<Arc<Scope>>,
    announcements: Mutex<Announcements>,
    pub(crate) unkeyed: Unkeyed,
}

/// Each message once, in the order of the first writes.
#[derive(Debug, Default)]
struct Announcements {
    order: Vec<NewMessage>,
    known: HashSet<NewMessage>,
}

impl Scope {
    pub(crate) fn outermost(context: Arc<Context>) -> Arc<Self> {
        let insurance = Insurance::new(context.clone());
        Arc::new(Self {
            context,
            insurance,
            level: Level::default(),
            parent: None,
            announcements: Mutex::default(),
            unkeyed: Unkeyed::default(),
        })
    }

    pub(crate) fn savepoint(self: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self {
            context: self.context.clone(),
            insurance: self.insurance.clone(),
            level: Level::default(),
            parent: Some(self.clone()),
            announcements: Mutex::default(),
            unkeyed: Unkeyed::default(),
        })
    }

    pub(crate) fn is_savepoint(&self) -> bool {
        self.parent.is_some()
    }

    /// The level around this savepoint.
    pub(crate) fn parent(&self) -> Option<&Self> {
        self.parent.as_deref()
    }

    /// Insures messages; they are not announced by this alone.
    pub(crate) fn insure(&self, messages: impl IntoIterator<Item = NewMessage>) -> Result<(), Error> {
        self.insurance.send(messages)
    }

    /// To be announced after the commit.
    pub(crate) fn announce_later(&self, messages: impl IntoIterator<Item = NewMessage>) {
        let mut announcements = self.announcements.lock().unwrap_or_else(PoisonError::into_inner);
        for message in messages {
            if announcements.known.insert(message.clone()) {
                announcements.order.push(message);
            }
        }
    }

    /// What is to be announced; the scope then holds nothing more.
    pub(crate) fn take_announcements(&self) -> Vec<NewMessage> {
        std::mem::take(&mut *self.announcements.lock().unwrap_or_else(PoisonError::into_inner)).order
    }

    /// The savepoint was released: its announcements are the outer level's now.
    pub(crate) fn released(&self) {
        if let Some(parent) = &self.parent {
            parent.announce_later(self.take_announcements());
            parent.unkeyed.merge(&self.unkeyed);
        }
    }
}
