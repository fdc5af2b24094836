//! Without OpenTelemetry.

use tracing::Span;

use crate::consumer::Consumer;
use crate::error::Error;
use crate::message::Message;

/// The spans of the batches that a commit is of.
#[derive(Default)]
pub(crate) struct Batches;

impl Batches {
    pub(crate) fn of(_: &Span) -> Self {
        Self
    }

    pub(crate) fn and(self, _: Self) -> Self {
        self
    }
}

impl Consumer {
    pub(crate) fn batch_span(&self, messages: &[Message]) -> Span {
        tracing::info_span!("batch", stream = %self.stream, consumer = self.name, len = messages.len())
    }

    #[expect(clippy::unused_self, reason = "the form that it has with the feature `otel`")]
    pub(crate) fn commit_span(&self, _: &Batches, _: u64) -> Span {
        Span::none()
    }
}

pub(crate) fn gave_up(_: &Span) {}

pub(crate) fn failed(_: &Span, _: &Error) {}
