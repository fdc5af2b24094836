//! A stream: main messages, the delay messages beside them, and who reads them.

use crate::{Redstream, StreamName};

/// One stream of a [`Redstream`], by name. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stream {
    redstream: Redstream,
    name: StreamName,
}

impl Stream {
    pub(crate) fn new(redstream: Redstream, name: StreamName) -> Self {
        Self { redstream, name }
    }

    /// The stream's name.
    pub fn name(&self) -> &StreamName {
        &self.name
    }
}
