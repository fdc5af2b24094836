//! Parses `#[streamed(…)]`.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{DeriveInput, Expr, ExprLit, Ident, Lit, LitInt, LitStr, Path, Token, punctuated::Punctuated};

#[derive(Default)]
pub(crate) struct Attribute {
    pub(crate) stream: Option<LitStr>,
    pub(crate) shards: Option<LitInt>,
    pub(crate) generation: Option<LitInt>,
    pub(crate) payload: Option<Path>,
    pub(crate) kind: Option<LitStr>,
    pub(crate) watch: Option<Vec<Ident>>,
    pub(crate) manual: bool,
    pub(crate) exact_key: bool,
    pub(crate) parents: Option<Vec<Path>>,
    pub(crate) parents_only: Option<Span>,
}

impl Attribute {
    /// Errors point at the word that is not understood.
    pub(crate) fn of(input: &DeriveInput) -> syn::Result<Self> {
        let mut attribute = Self::default();
        for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("streamed")) {
            attr.parse_nested_meta(|meta| attribute.add(&meta))?;
        }
        attribute.check_parents()?;
        if let (Some(kind), Some(_)) = (&attribute.kind, &attribute.payload) {
            return Err(syn::Error::new(
                kind.span(),
                "a kind is part of the default payload: put it into that of the function",
            ));
        }
        match &attribute.generation {
            Some(generation) if attribute.shards.is_none() => {
                Err(syn::Error::new(generation.span(), "a generation is one of shards: say `shards = number`, too"))
            }
            _ => Ok(attribute),
        }
    }

    fn check_parents(&self) -> syn::Result<()> {
        let Some(only) = self.parents_only else { return Ok(()) };
        if self.parents.is_none() {
            return Err(syn::Error::new(only, "say which parents, too: `parents(path::Entity, …)`"));
        }
        let of_the_stream = [
            self.stream.as_ref().map(LitStr::span),
            self.shards.as_ref().map(LitInt::span),
            self.payload.as_ref().map(Spanned::span),
        ];
        match of_the_stream.into_iter().flatten().next() {
            Some(span) => Err(syn::Error::new(span, "with `parents_only` the entity has no stream of its own")),
            None => Ok(()),
        }
    }

    fn add(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match &*word {
            "stream" => once(meta, &mut self.stream, |meta| stream_name(meta.value()?.parse()?)),
            "shards" => once(meta, &mut self.shards, |meta| number(meta, "a stream has at least one shard")),
            "generation" => once(meta, &mut self.generation, |meta| number(meta, "the first generation is 1")),
            "payload" => once(meta, &mut self.payload, |meta| meta.value()?.parse()),
            "kind" => once(meta, &mut self.kind, |meta| kind(meta.value()?.parse()?)),
            "watch" => once(meta, &mut self.watch, fields),
            "manual" => {
                self.manual = true;
                Ok(())
            }
            "exact_key" => {
                self.exact_key = true;
                Ok(())
            }
            "parents" => once(meta, &mut self.parents, paths),
            "parents_only" => {
                self.parents_only = Some(meta.path.span());
                Ok(())
            }
            _ => Err(meta.error(
                "expected `stream = \"name\"`, `shards = number`, `generation = number`, `payload = path`, \
                 `kind = \"word\"`, `watch(field, …)`, `parents(path::Entity, …)`, `parents_only`, `exact_key` or `manual`",
            )),
        }
    }
}

fn once<T>(
    meta: &ParseNestedMeta<'_>,
    said: &mut Option<T>,
    read: impl FnOnce(&ParseNestedMeta<'_>) -> syn::Result<T>,
) -> syn::Result<()> {
    if said.is_some() {
        return Err(meta.error("said twice"));
    }
    *said = Some(read(meta)?);
    Ok(())
}

/// Refuses at compile time what `StreamName::new` would refuse at the first save.
fn stream_name(literal: LitStr) -> syn::Result<LitStr> {
    let name = literal.value();
    let reason = if name.is_empty() {
        "a stream's name cannot be empty"
    } else if name.len() > 255 {
        "a stream's name has at most 255 bytes"
    } else if name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '{' || c == '}') {
        "a stream's name has no white space, control characters or braces"
    } else if name.ends_with(".delay") || name.contains(".dead.") {
        "`.delay` and `.dead.` are for the streams of delay messages and dead letters"
    } else {
        return Ok(literal);
    };
    Err(syn::Error::new(literal.span(), reason))
}

/// A word that distinguishes an entity's payloads from those of others.
fn kind(literal: LitStr) -> syn::Result<LitStr> {
    if literal.value().is_empty() {
        Err(syn::Error::new(literal.span(), "a kind cannot be empty"))
    } else {
        Ok(literal)
    }
}

/// A number of at least 1.
fn number(meta: &ParseNestedMeta<'_>, least: &str) -> syn::Result<LitInt> {
    let value: Expr = meta.value()?.parse()?;
    let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = value else {
        return Err(syn::Error::new_spanned(value, "expected a number"));
    };
    if number.base10_parse::<u32>()? == 0 {
        return Err(syn::Error::new(number.span(), least));
    }
    Ok(number)
}

/// `(super::author::Entity)`.
fn paths(meta: &ParseNestedMeta<'_>) -> syn::Result<Vec<Path>> {
    if !meta.input.peek(syn::token::Paren) {
        return Err(meta.error("expected `parents(path::Entity, …)`"));
    }
    let paths;
    syn::parenthesized!(paths in meta.input);
    let paths: Vec<Path> = Punctuated::<Path, Token![,]>::parse_terminated(&paths)?.into_iter().collect();
    if paths.is_empty() {
        return Err(meta.error("name the parents' entities"));
    }
    Ok(paths)
}

/// `(name, price)`.
fn fields(meta: &ParseNestedMeta<'_>) -> syn::Result<Vec<Ident>> {
    if !meta.input.peek(syn::token::Paren) {
        return Err(meta.error("expected `watch(field, …)`"));
    }
    let names;
    syn::parenthesized!(names in meta.input);
    let names: Vec<Ident> = Punctuated::<Ident, Token![,]>::parse_terminated(&names)?.into_iter().collect();
    if names.is_empty() {
        return Err(meta.error("name the fields whose changes are announced"));
    }
    Ok(names)
}
