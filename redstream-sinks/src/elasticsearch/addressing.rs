//! Where a key's document is: its id, its index and its routing.

use std::fmt;
use std::sync::Arc;

use redstream_seaorm::Key;
use sea_orm::EntityTrait;

use crate::elasticsearch::error::Error;
use crate::http::shortened;

/// The longest id that servers accept.
const LONGEST_ID: usize = 512;

type OfKey<E> = Arc<dyn Fn(&Key<E>) -> String + Send + Sync>;

/// All three are functions of the key alone: of a deleted record, nothing else is known.
pub(crate) struct Addressing<E> {
    pub(crate) id: Option<OfKey<E>>,
    pub(crate) index: Option<OfKey<E>>,
    pub(crate) routing: Option<OfKey<E>>,
}

/// The place of one document. Two documents of one place are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) id: String,
    /// If it is not that of the sink.
    pub(crate) index: Option<String>,
    pub(crate) routing: Option<String>,
}

impl<E: EntityTrait> Addressing<E> {
    pub(crate) fn address(&self, key: &Key<E>) -> Result<Address, Error> {
        let id = match &self.id {
            Some(id) => id(key),
            None => key.document_id().map_err(Error::Key)?,
        };
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(Error::Id { bytes: id.len(), start: shortened(&id, 64) });
        }
        let of = |function: &Option<OfKey<E>>| function.as_ref().map(|function| function(key));
        Ok(Address { id, index: of(&self.index), routing: of(&self.routing) })
    }
}

impl<E> Clone for Addressing<E> {
    fn clone(&self) -> Self {
        Self { id: self.id.clone(), index: self.index.clone(), routing: self.routing.clone() }
    }
}

impl<E> Default for Addressing<E> {
    fn default() -> Self {
        Self { id: None, index: None, routing: None }
    }
}

impl<E> fmt::Debug for Addressing<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addressing").finish_non_exhaustive()
    }
}
