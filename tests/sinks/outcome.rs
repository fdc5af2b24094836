//! What a write of a sink returns.

use std::error::Error;

use redstream_seaorm::{Failures, HandlerError};

use super::city;

/// The sink's own error of a write that failed as a whole.
pub(crate) fn error_of<E: Error + 'static>(result: Result<(), HandlerError>) -> E {
    let source = result.unwrap_err().into_source();
    *source.downcast::<E>().unwrap_or_else(|error| panic!("not an error of the sink: {error:?}"))
}

/// The records that failed, in words, and the error of the first.
pub(crate) fn failures_of(result: Result<(), HandlerError>) -> (String, String) {
    let failures: Failures<city::Entity> = error_of(result);
    let first = failures.source().map(ToString::to_string);
    (failures.to_string(), first.unwrap_or_default())
}
