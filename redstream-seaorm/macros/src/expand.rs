//! The code that the derive generates: the same as handwritten code.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput};

use super::attribute::Attribute;
use super::watch;

pub(crate) fn streamed(input: &DeriveInput) -> syn::Result<TokenStream> {
    // `#[sea_orm::model]` copies the derives of `Model` to the `ModelEx` that it generates.
    if input.ident == "ModelEx" {
        return Ok(TokenStream::new());
    }
    if !is_model(input) {
        return Err(syn::Error::new(input.ident.span(), "derive `Streamed` on a SeaORM entity's `struct Model`"));
    }
    let attribute = Attribute::of(input)?;
    let watched = attribute.watch.as_ref().map(|names| watch::columns(input, names)).transpose()?;
    Ok(implementations(&attribute, watched.as_deref()))
}

/// Emits the mistake and nothing else: without implementations SeaORM would report further errors that hide it.
pub(crate) fn mistaken(mistake: &syn::Error, input: &DeriveInput) -> TokenStream {
    let mistake = mistake.to_compile_error();
    let rest = is_model(input).then(|| implementations(&Attribute::default(), None));
    quote!(#mistake #rest)
}

fn is_model(input: &DeriveInput) -> bool {
    input.ident == "Model" && matches!(input.data, Data::Struct(_))
}

fn implementations(attribute: &Attribute, watched: Option<&[Ident]>) -> TokenStream {
    let entity = entity(attribute, watched);
    let behavior = (!attribute.manual).then(behavior);
    let registration = registration();
    quote!(#entity #behavior #registration)
}

/// Nothing is imported here, so a path of the user's keeps its meaning.
fn entity(attribute: &Attribute, watched: Option<&[Ident]>) -> TokenStream {
    let stream = attribute.stream.as_ref().map(|name| {
        quote! {
            fn stream() -> ::std::borrow::Cow<'static, str> {
                #name.into()
            }
        }
    });
    let shards = attribute.shards.as_ref().map(|count| {
        quote! {
            fn shards() -> ::std::option::Option<u32> {
                ::std::option::Option::Some(#count)
            }
        }
    });
    let generation = attribute.generation.as_ref().map(|number| {
        quote! {
            fn generation() -> u32 {
                #number
            }
        }
    });
    let payload_is_key = (attribute.payload.is_none() && attribute.kind.is_none()).then(|| {
        quote!(
            const PAYLOAD_IS_KEY: bool = true;
        )
    });
    let payload = attribute.payload.as_ref().map(|function| {
        // A function of another type is then reported at its name.
        let told = quote_spanned!(function.span()=> #function(key));
        quote! {
            fn payload(key: &::redstream_seaorm::Key<Self>) -> ::redstream_seaorm::__private::Json {
                #told
            }
        }
    });
    let kind = attribute.kind.as_ref().map(|kind| {
        quote! {
            fn kind() -> ::std::option::Option<&'static str> {
                ::std::option::Option::Some(#kind)
            }
        }
    });
    let is_watched = watched.map(|columns| {
        quote! {
            fn is_watched(column: &Column) -> bool {
                ::std::matches!(column, #(Column::#columns)|*)
            }
        }
    });
    let exact_key = attribute.exact_key.then(|| {
        quote! {
            fn has_exact_key() -> bool {
                true
            }
        }
    });
    let has_stream = attribute.parents_only.map(|_| {
        quote!(
            const HAS_STREAM: bool = false;
        )
    });
    let parents = attribute.parents.as_ref().map(|parents| {
        let each = parents.iter().map(|parent| {
            // An entity that is not related is then reported at its name.
            quote_spanned!(parent.span()=> ::redstream_seaorm::Parent::of::<#parent>())
        });
        quote! {
            fn parents() -> ::std::vec::Vec<::redstream_seaorm::Parent<Self>> {
                ::std::vec![#(#each),*]
            }
        }
    });
    quote! {
        impl ::redstream_seaorm::Streamed for Entity {
            #payload_is_key
            #has_stream
            #stream
            #shards
            #generation
            #kind
            #payload
            #is_watched
            #parents
            #exact_key
        }
    }
}

/// The imports stay within the block.
fn behavior() -> TokenStream {
    quote! {
        const _: () = {
            use ::redstream_seaorm::__private::{ActiveModelBehavior, ConnectionTrait, DbErr, async_trait};
            use ::redstream_seaorm::hooks;
            use ::std::result::Result::{self, Ok};

            #[async_trait]
            impl ActiveModelBehavior for ActiveModel {
                async fn before_save<C: ConnectionTrait>(self, db: &C, insert: bool) -> Result<Self, DbErr> {
                    hooks::before_save(&self, db, insert).await?;
                    Ok(self)
                }

                async fn after_save<C: ConnectionTrait>(model: Model, db: &C, insert: bool) -> Result<Model, DbErr> {
                    hooks::after_save::<Entity, C>(&model, db, insert).await?;
                    Ok(model)
                }

                async fn before_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
                    hooks::before_delete(&self, db).await?;
                    Ok(self)
                }

                async fn after_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
                    hooks::after_delete(&self, db).await?;
                    Ok(self)
                }
            }
        };
    }
}

/// Registers the entity with the guard and the workers, and its streams with consumers.
fn registration() -> TokenStream {
    quote! {
        const _: () = {
            use ::redstream_seaorm::__private::{
                DerivedEntity, WrittenStreams, inventory, written_streams,
            };

            const ENTITY: DerivedEntity = DerivedEntity::of::<Entity>();
            const STREAMS: WrittenStreams = WrittenStreams(written_streams::<Entity>);

            inventory::submit!(ENTITY);
            inventory::submit!(STREAMS);
        };
    }
}

#[cfg(test)]
mod tests {
    use syn::DeriveInput;

    /// The code blocks of the page: the model, and what the derive makes of it.
    fn blocks() -> Vec<&'static str> {
        let page = include_str!("written.md");
        page.split("```rust,ignore\n").skip(1).map(|block| block.split("```").next().unwrap_or_default()).collect()
    }

    #[test]
    fn the_page_shows_what_is_written() {
        let blocks = blocks();
        let model: DeriveInput = syn::parse_str(blocks[0]).expect("the page's first block is a model");
        let written = super::streamed(&model).and_then(syn::parse2).expect("the derive writes items");
        assert_eq!(prettyplease::unparse(&written), blocks[1]);
    }
}
