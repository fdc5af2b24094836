//! Why a swap did not switch.

use std::time::Duration;

use redstream_core::BoxError;

use crate::verify::error::VerifyError;
use crate::verify::report::VerifyReport;

/// Why a [`Swap`](crate::Swap) ended. Unless it says otherwise, the searches use the index that they used before, and
/// another run continues.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SwapError {
    /// The datastore failed.
    #[error("could not {attempt} the index `{index}`")]
    Index {
        /// What was attempted, as an infinitive.
        attempt: &'static str,
        /// The new index.
        index: String,
        /// The datastore's error.
        #[source]
        source: BoxError,
    },

    /// Redis, or the walk over the rows.
    #[error(transparent)]
    Redstream(#[from] redstream_core::Error),

    /// The new index lacks rows or changes, so it is not used.
    #[error("the consumer `{consumer}` of the index `{index}` is still behind after {within:?}: does it run?")]
    Behind {
        /// The new index.
        index: String,
        /// Its consumer.
        consumer: String,
        /// How long it was waited for.
        within: Duration,
    },

    /// The new index lacks documents, so it is not used.
    #[error(
        "the consumer `{consumer}` of the index `{index}` has {dead_letters} dead letters, so that searches do not use it: correct what \
         they say, redrive or discard them, and run the swap again"
    )]
    DeadLetters {
        /// The new index.
        index: String,
        /// Its consumer.
        consumer: String,
        /// How many.
        dead_letters: u64,
    },

    /// Only one program at a time points the alias at the index, or aborts the swap.
    #[error("another program may be switching to the index `{index}` or aborting that: run it again")]
    Busy {
        /// The new index.
        index: String,
    },

    /// No message can be made of the key of a document that the index has from earlier times.
    #[error("no message can be made of the key of a document of the index `{index}`")]
    Key {
        /// The new index.
        index: String,
        /// Why not.
        #[source]
        source: crate::Error,
    },

    /// The new index could not be verified.
    #[error(transparent)]
    Verify(Box<VerifyError>),

    /// The new index differs from the rows, so it is not used.
    #[error("the index `{index}` differs from the rows, so that searches do not use it: {report}")]
    Differs {
        /// The new index.
        index: String,
        /// What was found.
        report: Box<VerifyReport>,
    },

    /// The check found the new index wrong.
    #[error("the check of the index `{index}` failed, so that searches do not use it")]
    Check {
        /// The new index.
        index: String,
        /// What the check returned.
        #[source]
        source: BoxError,
    },

    /// It cannot be aborted any more.
    #[error("searches use the index `{index}` already: to go back, swap the other way")]
    Switched {
        /// The new index.
        index: String,
    },
}

impl From<VerifyError> for SwapError {
    fn from(error: VerifyError) -> Self {
        Self::Verify(Box::new(error))
    }
}
