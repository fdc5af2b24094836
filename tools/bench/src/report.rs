//! The results in readable form.

pub(crate) mod docs;
mod machine;
mod markdown;
mod plot;
pub(crate) mod table;
