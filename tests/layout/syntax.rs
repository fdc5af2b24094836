//! The modules and imports of a source file, read from its tokens.

use std::path::Path;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

pub(super) fn tokens(file: &Path) -> Vec<TokenTree> {
    let folder = || file.with_extension("").join("mod.rs");
    let text = std::fs::read_to_string(file).or_else(|_| std::fs::read_to_string(folder()));
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let code: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    code.into_iter().collect()
}

pub(super) fn word(code: &[TokenTree]) -> String {
    code.first().map(ToString::to_string).unwrap_or_default()
}

pub(super) fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(sign)) if sign.as_char() == ':')
}

/// The position after an item for tests only, if one begins here.
pub(super) fn after_test(code: &[TokenTree], at: usize) -> Option<usize> {
    let [TokenTree::Punct(sign), TokenTree::Group(attribute), ..] = &code[at..] else { return None };
    let is_test = sign.as_char() == '#' && attribute.stream().to_string().replace(' ', "") == "cfg(test)";
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(sign) => sign.as_char() == ';',
        _ => false,
    };
    is_test.then(|| code[at..].iter().position(ends).map_or(code.len(), |length| at + length + 1))
}

/// The modules in files of their own, and those with a body, directly in this code.
pub(super) fn declared(code: &[TokenTree]) -> (Vec<String>, Vec<String>) {
    let (mut files, mut inline) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < code.len() {
        if let Some(after) = after_test(code, at) {
            at = after;
            continue;
        }
        if word(&code[at..]) == "mod"
            && let [_, TokenTree::Ident(name), end, ..] = &code[at..]
        {
            let list = if let TokenTree::Group(_) = end { &mut inline } else { &mut files };
            // One that is public only with a feature is declared twice.
            if !list.contains(&name.to_string()) {
                list.push(name.to_string());
            }
        }
        at += 1;
    }
    (files, inline)
}

/// The paths of all `use` directly in this code, each with the name that it gets.
pub(super) fn uses(code: &[TokenTree]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, _) in code.iter().enumerate().filter(|(_, token)| token.to_string() == "use") {
        let ends = |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ';');
        let length = code[at..].iter().position(ends).unwrap_or(code.len() - at);
        tree(&code[at + 1..at + length].iter().cloned().collect(), &[], &mut paths);
    }
    paths
}

/// The tokens of one path, up to what ends it.
pub(super) fn one_path(code: &[TokenTree]) -> TokenStream {
    let mut path = Vec::new();
    let mut was_name = false;
    for token in code {
        match token {
            TokenTree::Ident(_) if !was_name => was_name = true,
            TokenTree::Punct(sign) if sign.as_char() == ':' => was_name = false,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !was_name => {
                path.push(token.clone());
                break;
            }
            _ => break,
        }
        path.push(token.clone());
    }
    path.into_iter().collect()
}

/// The paths of a tree such as `a::{b, c::D as E}`; a new name is the last part.
pub(super) fn tree(code: &TokenStream, prefix: &[String], paths: &mut Vec<Vec<String>>) {
    let code: Vec<TokenTree> = code.clone().into_iter().collect();
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ',');
    for part in code.split(is_comma) {
        let mut path = prefix.to_vec();
        let mut inner: Option<&Group> = None;
        for token in part {
            match token {
                TokenTree::Ident(name) if name != "as" => path.push(name.to_string()),
                TokenTree::Group(group) => inner = Some(group),
                _ => {}
            }
        }
        match inner {
            Some(group) => tree(&group.stream(), &path, paths),
            None => paths.push(path),
        }
    }
}
