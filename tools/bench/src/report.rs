//! What was measured, for people.

pub(crate) mod docs;
mod machine;
mod markdown;
mod plot;
pub(crate) mod table;
