//! The code that the derive writes: what one would write by hand.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput};

use super::attribute::Attribute;

pub(crate) fn streamed(input: &DeriveInput) -> syn::Result<TokenStream> {
    // `#[sea_orm::model]` copies the derives of `Model` to the `ModelEx` it makes beside it.
    if input.ident == "ModelEx" {
        return Ok(TokenStream::new());
    }
    if !is_model(input) {
        return Err(syn::Error::new(input.ident.span(), "derive `Streamed` on a SeaORM entity's `struct Model`"));
    }
    Ok(implementations(Attribute::of(input)?))
}

/// The mistake, and nothing but the mistake: with no implementations at all, SeaORM's complaints of it would bury it.
pub(crate) fn mistaken(mistake: &syn::Error, input: &DeriveInput) -> TokenStream {
    let mistake = mistake.to_compile_error();
    let rest = is_model(input).then(|| implementations(Attribute::default()));
    quote!(#mistake #rest)
}

fn is_model(input: &DeriveInput) -> bool {
    input.ident == "Model" && matches!(input.data, Data::Struct(_))
}

fn implementations(Attribute { stream, payload, manual }: Attribute) -> TokenStream {
    let stream = stream.map(|name| {
        quote! {
            fn stream() -> ::std::borrow::Cow<'static, str> {
                ::std::borrow::Cow::Borrowed(#name)
            }
        }
    });
    let payload = payload.map(|function| {
        quote! {
            fn payload(key: &::redstream_seaorm::Key<Self>) -> ::redstream_seaorm::__private::Json {
                // A function of another type is then an error at its name.
                let payload: fn(&::redstream_seaorm::Key<Self>) -> ::redstream_seaorm::__private::Json = #function;
                payload(key)
            }
        }
    });
    let behavior = (!manual).then(behavior);
    quote! {
        impl ::redstream_seaorm::Streamed for Entity {
            #stream
            #payload
        }
        #behavior
        ::redstream_seaorm::__private::inventory::submit! {
            ::redstream_seaorm::__private::StreamedEntity(|| {
                let entity = <Entity as ::std::default::Default>::default();
                let schema = ::redstream_seaorm::__private::EntityName::schema_name(&entity);
                let table = ::redstream_seaorm::__private::EntityName::table_name(&entity);
                (schema.map(::std::borrow::ToOwned::to_owned), ::std::borrow::ToOwned::to_owned(table))
            })
        }
    }
}

fn behavior() -> TokenStream {
    quote! {
        #[::redstream_seaorm::__private::async_trait]
        impl ::redstream_seaorm::__private::ActiveModelBehavior for ActiveModel {
            async fn before_save<C>(
                self,
                db: &C,
                insert: bool,
            ) -> ::std::result::Result<Self, ::redstream_seaorm::__private::DbErr>
            where
                C: ::redstream_seaorm::__private::ConnectionTrait,
            {
                ::redstream_seaorm::hooks::before_save(&self, db, insert).await?;
                ::std::result::Result::Ok(self)
            }

            async fn after_save<C>(
                model: Model,
                db: &C,
                insert: bool,
            ) -> ::std::result::Result<Model, ::redstream_seaorm::__private::DbErr>
            where
                C: ::redstream_seaorm::__private::ConnectionTrait,
            {
                ::redstream_seaorm::hooks::after_save::<Entity, C>(&model, db, insert).await?;
                ::std::result::Result::Ok(model)
            }

            async fn before_delete<C>(
                self,
                db: &C,
            ) -> ::std::result::Result<Self, ::redstream_seaorm::__private::DbErr>
            where
                C: ::redstream_seaorm::__private::ConnectionTrait,
            {
                ::redstream_seaorm::hooks::before_delete(&self, db).await?;
                ::std::result::Result::Ok(self)
            }

            async fn after_delete<C>(
                self,
                db: &C,
            ) -> ::std::result::Result<Self, ::redstream_seaorm::__private::DbErr>
            where
                C: ::redstream_seaorm::__private::ConnectionTrait,
            {
                ::redstream_seaorm::hooks::after_delete(&self, db).await?;
                ::std::result::Result::Ok(self)
            }
        }
    }
}
