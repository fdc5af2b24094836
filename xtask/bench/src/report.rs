//! What was measured, for people.

pub(crate) mod table;
