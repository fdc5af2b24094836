//! Maps the fields in `watch(…)` to the columns that SeaORM generates for them.

use heck::ToUpperCamelCase;
use proc_macro2::Ident;
use syn::{Attribute, Data, DeriveInput, Expr, ExprLit, Field, Fields, Lit, Meta, Token, punctuated::Punctuated};

/// The variants of `Column`. Errors point at the name that is no column.
pub(crate) fn columns(input: &DeriveInput, names: &[Ident]) -> syn::Result<Vec<Ident>> {
    let mut columns: Vec<Ident> = Vec::with_capacity(names.len());
    for name in names {
        let refuse = |reason: String| Err(syn::Error::new(name.span(), reason));
        let Some(field) = fields(input).find(|field| field.ident.as_ref() == Some(name)) else {
            let known: Vec<_> =
                fields(input).filter_map(|field| Some(format!("`{}`", field.ident.as_ref()?))).collect();
            return refuse(format!("`Model` has no field `{name}`; it has {}", known.join(", ")));
        };
        if settings(field).any(|setting| setting.path().is_ident("ignore")) {
            return refuse(format!("`{name}` is no column: SeaORM ignores it"));
        }
        let column = column(field, name);
        if columns.contains(&column) {
            return refuse("said twice".to_owned());
        }
        columns.push(column);
    }
    Ok(columns)
}

/// As `DeriveEntityModel` names it, with the span of the name in the attribute.
fn column(field: &Field, name: &Ident) -> Ident {
    let renamed = settings(field).find_map(|setting| match setting {
        Meta::NameValue(pair) if pair.path.is_ident("enum_name") => match pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) => Some(name.value()),
            _ => None,
        },
        _ => None,
    });
    let column = renamed.unwrap_or_else(|| name.to_string().trim_start_matches("r#").to_upper_camel_case());
    // `Self` is the only keyword that a variant's name could be; SeaORM makes it `Self_`.
    Ident::new(if column == "Self" { "Self_" } else { &column }, name.span())
}

fn fields(input: &DeriveInput) -> impl Iterator<Item = &Field> {
    let fields = match &input.data {
        Data::Struct(model) => match &model.fields {
            Fields::Named(fields) => Some(&fields.named),
            _ => None,
        },
        _ => None,
    };
    fields.into_iter().flatten()
}

/// Parses the `#[sea_orm(…)]` of a field. SeaORM reports what cannot be parsed.
fn settings(field: &Field) -> impl Iterator<Item = Meta> {
    let of_sea_orm = |attr: &&Attribute| attr.path().is_ident("sea_orm");
    field
        .attrs
        .iter()
        .filter(of_sea_orm)
        .filter_map(|attr| attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok())
        .flatten()
}
