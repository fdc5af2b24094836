//! `#[derive(Streamed)]` for `redstream-seaorm`, which re-exports it: depend on that one.

mod attribute;
mod expand;
mod watch;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Streams the changes of a SeaORM model: implements `Streamed` for its `Entity`, and `ActiveModelBehavior` for
/// its `ActiveModel`, so that every save and delete is insured before its commit and announced after it.
///
/// Attributes, in one or several `#[streamed(…)]` on the model:
///
/// - `stream = "products"`: the stream's name. Default: the table's, or `SCHEMA.TABLE` if the entity names a schema.
/// - `shards = 4`: splits the stream into this many shards; a message goes to the shard given by its payload's hash.
///   Default: none, it is one stream. `redstream.of::<Entity>()` gives workers for all of them.
/// - `generation = 2`: the generation of the shards, when their number was changed. Default: 1.
/// - `payload = path::to::function`: a `fn(&Key<Entity>) -> serde_json::Value` that makes the message's payload of the
///   key. Default: an object of the key's columns.
/// - `kind = "book"`: a word that the default payload has in addition to the key's columns, `{"id":1,"kind":"book"}`,
///   if several entities write one stream: each `Indexer` skips payloads of another kind. Default: none.
/// - `watch(name, price)`: an update is announced only if it sets one of these fields. Inserts and deletes always are.
///   Default: every update is.
/// - `exact_key`: the database stores and compares every key exactly as Rust does, so that none need be read back: for
///   text keys of a binary collation, and decimals or times of the column's own scale, which no trigger changes.
///   Default: only integers, booleans, UUIDs, bytes and dates are exact; see `Streamed::has_exact_key`.
/// - `parents(super::author::Entity, …)`: the documents of these parents contain data of this entity's rows, so each
///   write of a row announces the parents that it had and those that it has; see `Streamed::parents`. Needs SeaORM's
///   `Related` to each, and saves in a transaction. Default: none.
/// - `parents_only`, with `parents`: the entity has no stream of its own, and so needs no consumer, delayer or trimmer:
///   its writes only announce its parents.
/// - `manual`: leaves `ActiveModelBehavior` to you; call the functions of `redstream_seaorm::hooks` in yours.
///
/// Derive it together with `DeriveEntityModel`, in the entity's module, and drop the empty
/// `impl ActiveModelBehavior for ActiveModel {}`, or use `manual`.
///
/// With `#[sea_orm::model]` nothing else is needed: write it above the derives, as SeaORM's documentation does. The
/// `ModelEx` that it generates inherits the derive and its attributes, which do nothing there; nested saves and
/// cascading deletes use the hooks of each record's own `ActiveModel`.
///
#[doc = include_str!("written.md")]
#[proc_macro_derive(Streamed, attributes(streamed))]
pub fn streamed(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::streamed(&input).unwrap_or_else(|mistake| expand::mistaken(&mistake, &input)).into()
}
