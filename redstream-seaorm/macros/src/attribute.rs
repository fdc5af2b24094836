//! What `#[streamed(…)]` says.

use syn::{DeriveInput, LitStr, Path};

#[derive(Default)]
pub(crate) struct Attribute {
    pub(crate) stream: Option<LitStr>,
    pub(crate) payload: Option<Path>,
    pub(crate) manual: bool,
}

impl Attribute {
    /// Errors point at the word that is not understood.
    pub(crate) fn of(input: &DeriveInput) -> syn::Result<Self> {
        let mut attribute = Self::default();
        for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("streamed")) {
            attr.parse_nested_meta(|meta| {
                let twice = || Err(meta.error("said twice"));
                if meta.path.is_ident("stream") {
                    if attribute.stream.is_some() {
                        return twice();
                    }
                    attribute.stream = Some(stream_name(meta.value()?.parse()?)?);
                } else if meta.path.is_ident("payload") {
                    if attribute.payload.is_some() {
                        return twice();
                    }
                    attribute.payload = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("manual") {
                    attribute.manual = true;
                } else {
                    return Err(meta.error("expected `stream = \"name\"`, `payload = path` or `manual`"));
                }
                Ok(())
            })?;
        }
        Ok(attribute)
    }
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
