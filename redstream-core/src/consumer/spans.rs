//! The spans of a batch and of a commit.
//!
//! With the feature `otel` they have the names of OpenTelemetry's conventions for messaging, and the span of a batch is
//! linked to those in which its messages were written; `docs/traces.md` describes them. Without it there is the span of
//! a batch alone, for logs.

#[cfg(feature = "otel")]
mod otel;
#[cfg(not(feature = "otel"))]
mod plain;

#[cfg(feature = "otel")]
pub(super) use self::otel::{Batches, failed, gave_up};
#[cfg(not(feature = "otel"))]
pub(super) use self::plain::{Batches, failed, gave_up};
