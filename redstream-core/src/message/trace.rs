//! The trace context of a writer, in an entry of its own field beside the messages.
//!
//! Only with the feature `otel`; without it the type has no size, and nothing is written or read.

/// The field of an entry. It precedes the payload, as that of a consumer does.
pub(crate) const TRACE: &str = "traceparent";

/// The context of the span in which messages were written, as the W3C writes it in `traceparent`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TraceParent(#[cfg(feature = "otel")] Option<std::sync::Arc<str>>);

#[cfg(not(feature = "otel"))]
impl TraceParent {
    pub(crate) fn current() -> Self {
        Self()
    }

    pub(crate) fn read(_: &[u8]) -> Self {
        Self()
    }

    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn text(&self) -> Option<&str> {
        None
    }
}

#[cfg(feature = "otel")]
mod otel {
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    use super::TraceParent;

    /// Of the version 00, which is the only one.
    const LENGTH: usize = 55;

    impl TraceParent {
        /// Of the current span; none if no exporter takes it.
        pub(crate) fn current() -> Self {
            let span = tracing::Span::current();
            if span.is_disabled() {
                return Self::default();
            }
            let context = span.context();
            let context = context.span().span_context().clone();
            if !context.is_valid() || !context.is_sampled() {
                return Self::default();
            }
            let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
            Self(Some(format!("00-{trace:032x}-{span:016x}-{flags:02x}").into()))
        }

        /// Anything else than a context is none: a trace is no reason to refuse a message.
        pub(crate) fn read(text: &[u8]) -> Self {
            Self(std::str::from_utf8(text).ok().filter(|text| text.len() == LENGTH).map(Into::into))
        }

        pub(crate) fn text(&self) -> Option<&str> {
            self.0.as_deref()
        }

        pub(crate) fn span_context(&self) -> Option<SpanContext> {
            let mut parts = self.text()?.split('-');
            let ("00", trace, span, flags, None) =
                (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next())
            else {
                return None;
            };
            let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
            let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
            let context = SpanContext::new(trace, span, flags, true, TraceState::NONE);
            context.is_valid().then_some(context)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_is_no_context_is_none() {
            let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            let context = TraceParent::read(text.as_bytes()).span_context().unwrap();
            assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
            assert!(context.is_sampled() && context.is_remote());
            for other in [
                "",
                "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-xx",
                "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b-701",
            ] {
                assert!(TraceParent::read(other.as_bytes()).span_context().is_none(), "{other}");
            }
        }
    }
}
