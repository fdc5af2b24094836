//! How an error of the adapter is carried by SeaORM's [`DbErr`]: unchanged, within a variant that has a source.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use sea_orm::DbErr;

use super::{Error, ErrorKind};

/// An error of the adapter, with its causes in its text: many programs print a [`DbErr`] and not what caused it.
#[derive(Debug)]
struct Carried {
    kind: ErrorKind,
    error: Box<dyn StdError + Send + Sync>,
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redstream: {}", self.error)?;
        let mut cause = self.error.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for Carried {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

/// The error as SeaORM carries it: only one of its variants can hold an error of another crate.
pub(crate) fn carry(kind: ErrorKind, error: impl StdError + Send + Sync + 'static) -> DbErr {
    let source = Arc::new(Carried { kind, error: Box::new(error) });
    DbErr::TryIntoErr { from: "a write", into: "a streamed one", source }
}

fn carried(error: &DbErr) -> Option<&Carried> {
    let DbErr::TryIntoErr { source, .. } = error else { return None };
    source.downcast_ref()
}

/// The error that was carried, if it is of this type.
pub(crate) fn find<E: StdError + 'static>(error: &DbErr) -> Option<&E> {
    carried(error)?.error.downcast_ref()
}

impl ErrorKind {
    /// What kind of failure of the adapter this is; `None` if it comes from SeaORM or from the database.
    #[must_use]
    pub fn of(error: &DbErr) -> Option<Self> {
        carried(error).map(|carried| carried.kind)
    }
}

impl Error {
    /// The error of the adapter that SeaORM carries in this one, if it does.
    ///
    /// ```
    /// use redstream_seaorm::{Error, ErrorKind};
    /// use sea_orm::DbErr;
    ///
    /// let told: DbErr = Error::TransactionEnded.into();
    /// assert!(matches!(Error::of(&told), Some(Error::TransactionEnded)));
    /// assert_eq!(ErrorKind::of(&told), Some(ErrorKind::Retry));
    /// ```
    #[must_use]
    pub fn of(error: &DbErr) -> Option<&Self> {
        find(error)
    }
}

impl From<Error> for DbErr {
    fn from(error: Error) -> Self {
        carry(error.kind(), error)
    }
}
