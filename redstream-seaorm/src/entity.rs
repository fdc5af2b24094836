//! What is known of a streamed entity: its streams, its keys and their messages, and its relations.
//!
//! # Layout
//! - [`streamed`] is the trait, [`parents`] and [`relation`] its relations to other entities;
//! - [`key`] is a key and its form in messages, [`key_query`] the conditions and pages of keys in SQL, [`key_list`]
//!   those of many keys, [`key_order`] the order of the pages;
//! - [`generated_key`], [`stored_key`] and [`stored_key_by_type`] read the keys that the database has;
//! - [`decode`] reads the keys of a batch back, [`batch`] for handlers;
//! - [`streams`] and [`token`] are the streams of an entity, for workers and for readers; [`derived`] lists the
//!   program's entities.
//!
//! May only use `error`.

pub(crate) mod batch;
pub(crate) mod decode;
pub(crate) mod derived;
pub(crate) mod generated_key;
pub(crate) mod key;
pub(crate) mod key_list;
pub(crate) mod key_order;
pub(crate) mod key_query;
pub(crate) mod parents;
pub(crate) mod relation;
pub(crate) mod stored_key;
pub(crate) mod stored_key_by_type;
pub(crate) mod streamed;
pub(crate) mod streams;
pub(crate) mod table_name;
pub(crate) mod token;
