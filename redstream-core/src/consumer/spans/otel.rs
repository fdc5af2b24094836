//! With the names of OpenTelemetry's conventions for messaging.
//!
//! <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>

use std::collections::HashSet;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::consumer::Consumer;
use crate::error::Error;
use crate::message::Message;

/// The conventions have no name for streams of Redis, and let a library choose one.
const SYSTEM: &str = "redis_streams";

/// The default limit of an exporter: it would drop more.
const MOST_LINKS: usize = 128;

/// The spans of the batches that a commit is of. It is a child of the last, and linked to the others.
#[derive(Default)]
pub(crate) struct Batches(Vec<SpanContext>);

impl Batches {
    pub(crate) fn of(span: &Span) -> Self {
        Self(if span.is_disabled() { Vec::new() } else { vec![context(span)] })
    }

    pub(crate) fn and(mut self, later: Self) -> Self {
        self.0.extend(later.0);
        let surplus = self.0.len().saturating_sub(MOST_LINKS);
        self.0.drain(..surplus);
        self
    }
}

impl Consumer {
    /// Of the handling of these messages, with all retries.
    pub(crate) fn batch_span(&self, messages: &[Message]) -> Span {
        let span = tracing::info_span!(
            "batch",
            stream = %self.stream,
            consumer = self.name,
            len = messages.len(),
            otel.name = %format_args!("process {}", self.stream),
            otel.kind = "consumer",
            otel.status_code = Empty,
            messaging.system = SYSTEM,
            messaging.operation.type = "process",
            messaging.operation.name = "process",
            messaging.destination.name = %self.stream,
            messaging.consumer.group.name = self.name,
            messaging.batch.message_count = messages.len(),
            error.type = Empty,
        );
        if !span.is_disabled() {
            let mut seen = HashSet::new();
            for message in messages {
                // The messages of an entry have one.
                if let Some(text) = message.trace().text()
                    && seen.len() < MOST_LINKS
                    && seen.insert(text)
                    && let Some(writer) = message.trace().span_context()
                {
                    span.add_link(writer);
                }
            }
        }
        span
    }

    pub(crate) fn commit_span(&self, batches: &Batches, messages: u64) -> Span {
        let Some((last, others)) = batches.0.split_last() else { return Span::none() };
        let span = tracing::info_span!(
            parent: None,
            "commit",
            otel.name = %format_args!("commit {}", self.stream),
            otel.kind = "client",
            otel.status_code = Empty,
            messaging.system = SYSTEM,
            messaging.operation.type = "settle",
            messaging.operation.name = "commit",
            messaging.destination.name = %self.stream,
            messaging.consumer.group.name = self.name,
            messaging.batch.message_count = messages,
            error.type = Empty,
        );
        // Not of the batch's span itself, which would then last until the commit.
        let parent = span.set_parent(Context::new().with_remote_span_context(last.clone()));
        debug_assert!(parent.is_ok() || span.is_disabled(), "nothing has used the span");
        for other in others {
            span.add_link(other.clone());
        }
        span
    }
}

/// Messages became dead letters.
pub(crate) fn gave_up(span: &Span) {
    tell(span, "dead_letters");
}

pub(crate) fn failed(span: &Span, error: &Error) {
    tell(
        span,
        match error {
            Error::LockLost { .. } => "lock_lost",
            Error::Paused { .. } => "paused",
            Error::Forgotten { .. } => "forgotten",
            Error::Handler { .. } | Error::Poison { .. } => "handler",
            Error::Redis { .. } | Error::GaveUp { .. } => "redis",
            // What the conventions have for all others.
            _ => "_OTHER",
        },
    );
}

fn tell(span: &Span, kind: &'static str) {
    span.record("error.type", kind);
    span.record("otel.status_code", "ERROR");
}

fn context(span: &Span) -> SpanContext {
    span.context().span().span_context().clone()
}
