//! Why a verification could not be done.

use std::time::Duration;

use redstream_core::BoxError;
use sea_orm::DbErr;

/// Why a verification ended without a report.
///
/// What may pass, such as a datastore that does not answer, was tried again for the time of
/// [`retry_for`](crate::Verify::retry_for).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The rows or their number could not be read from the primary database.
    #[error("verify {id}: the primary database could not {attempt} within {within:?}")]
    Primary {
        /// The id of the verification.
        id: String,
        /// What was attempted, as an infinitive.
        attempt: &'static str,
        /// How long it was tried.
        within: Duration,
        /// What the database says.
        #[source]
        source: DbErr,
    },

    /// The loader could not make records of rows.
    #[error("verify {id}: the loader could not read {keys} records within {within:?}")]
    Loader {
        /// The id of the verification.
        id: String,
        /// How many were asked for.
        keys: usize,
        /// How long it was tried.
        within: Duration,
        /// The loader's error.
        #[source]
        source: BoxError,
    },

    /// The sink could not read its datastore.
    #[error("verify {id}: the sink could not {attempt} within {within:?}")]
    Sink {
        /// The id of the verification.
        id: String,
        /// What was attempted, as an infinitive.
        attempt: &'static str,
        /// How long it was tried.
        within: Duration,
        /// The sink's error.
        #[source]
        source: BoxError,
    },

    /// Keys of this type are sorted differently by databases and datastores, and the sink does not look them up.
    #[error(
        "verify {id}: keys such as {key} are not sorted alike by every database and datastore, so that they must be looked up, and \
         the sink cannot: implement `Scan::find`"
    )]
    NoLookUp {
        /// The id of the verification.
        id: String,
        /// A key, as JSON.
        key: String,
    },

    /// A page is not in the order of the keys, or has keys of another range.
    #[error(
        "verify {id}: {side} gave the key {key} after {after}, or beyond the range it was asked for: `Scan::scan` must sort by the \
         key as a number or byte by byte, and so must the column of the primary key"
    )]
    OutOfOrder {
        /// The id of the verification.
        id: String,
        /// The sink, or the primary database.
        side: &'static str,
        /// The key that is out of order, as JSON.
        key: String,
        /// The key before it, as JSON.
        after: String,
    },

    /// No message can be made of a key, so that it can be neither watched nor repaired.
    #[error("verify {id}: no message can be made of a key")]
    Key {
        /// The id of the verification.
        id: String,
        /// Why not.
        #[source]
        source: crate::Error,
    },

    /// Redis did not answer or an option is not usable.
    #[error("verify {id} failed at Redis, or at an option")]
    Redis {
        /// The id of the verification.
        id: String,
        /// The engine's error.
        #[source]
        source: redstream_core::Error,
    },
}

impl VerifyError {
    /// The exit code of a program that ends with this error: 2, as for a verification that
    /// [could not finish](crate::VerifyReport::exit_code).
    #[must_use]
    pub fn exit_code(&self) -> std::process::ExitCode {
        std::process::ExitCode::from(2)
    }
}
