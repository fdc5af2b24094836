//! `#[derive(Streamed)]` for `redstream-seaorm`, which re-exports it: depend on that one.

mod attribute;
mod expand;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Streams the changes of a SeaORM model: implements `Streamed` for its `Entity`, and `ActiveModelBehavior` for
/// its `ActiveModel`, so that every save and delete is insured before its commit and announced after it.
///
/// Attributes, in one or several `#[streamed(…)]` on the model:
///
/// - `stream = "products"`: the stream's name. Default: the table's.
/// - `payload = path::to::function`: a `fn(&Key<Entity>) -> serde_json::Value` that makes the message's payload of the
///   key. Default: an object of the key's columns.
/// - `manual`: leaves `ActiveModelBehavior` to you; call the functions of `redstream_seaorm::hooks` in yours.
///
/// Derive it beside `DeriveEntityModel`, in the entity's module, and drop the empty
/// `impl ActiveModelBehavior for ActiveModel {}`. With `#[sea_orm::model]`, add
/// `#[sea_orm(active_model_behavior = false)]`-like options only where SeaORM asks for them; the copy that it makes of the
/// model is left alone.
#[proc_macro_derive(Streamed, attributes(streamed))]
pub fn streamed(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::streamed(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
