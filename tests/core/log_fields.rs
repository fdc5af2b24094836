//! No log line has two fields of one name: a JSON parser keeps one of them, and the other is lost. The text of a line
//! is its field `message`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "event"];

/// The mistakes in one file, and how many lines it logs.
#[derive(Default)]
struct Lines {
    events: usize,
    doubled: Vec<String>,
}

impl Lines {
    fn read(&mut self, code: TokenStream) {
        let tokens: Vec<TokenTree> = code.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            let TokenTree::Group(group) = token else { continue };
            self.read(group.stream());
            // `tracing::warn!(…)`: six tokens.
            let before: Vec<String> = tokens[at.saturating_sub(5)..at].iter().map(ToString::to_string).collect();
            if let [tracing, _, _, level, bang] = &before[..]
                && tracing == "tracing"
                && LEVELS.contains(&level.as_str())
                && bang == "!"
            {
                self.event(&group.stream());
            }
        }
    }

    fn event(&mut self, arguments: &TokenStream) {
        self.events += 1;
        let mut seen = BTreeSet::new();
        for field in fields(arguments.clone()) {
            if !seen.insert(field.clone()) {
                self.doubled.push(format!("{field} in {arguments}"));
            }
        }
    }
}

/// The names of a line's fields: `name = value`, `%name`, `?name`, `name`, and its text.
fn fields(tokens: TokenStream) -> Vec<String> {
    let mut fields = Vec::new();
    let mut argument: Vec<TokenTree> = Vec::new();
    let mut close = |argument: &mut Vec<TokenTree>| {
        fields.extend(field(argument));
        let ended = matches!(argument.first(), Some(TokenTree::Literal(_)));
        argument.clear();
        ended
    };
    for token in tokens {
        if matches!(&token, TokenTree::Punct(comma) if comma.as_char() == ',') {
            // What follows the text is its arguments.
            if close(&mut argument) {
                return fields;
            }
        } else {
            argument.push(token);
        }
    }
    close(&mut argument);
    fields
}

fn field(argument: &[TokenTree]) -> Option<String> {
    if let Some(TokenTree::Literal(_)) = argument.first() {
        return Some("message".to_owned());
    }
    let named = argument.iter().position(|token| matches!(token, TokenTree::Punct(sign) if sign.as_char() == '='));
    let name = &argument[..named.unwrap_or(argument.len())];
    let is_sigil = |token: &&TokenTree| matches!(token, TokenTree::Punct(sign) if matches!(sign.as_char(), '%' | '?'));
    let parts: Vec<String> = name.iter().skip_while(is_sigil).map(ToString::to_string).collect();
    // `self.name` alone is the field `self.name`; `target: …` is none.
    (!parts.is_empty() && !parts.contains(&":".to_owned())).then(|| parts.concat())
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_log_line_has_two_fields_of_one_name() {
    let mut files = Vec::new();
    for crate_ in ["redstream-core/src", "redstream-seaorm/src"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(crate_), &mut files);
    }
    let mut lines = Lines::default();
    for file in files {
        lines.read(std::fs::read_to_string(&file).unwrap().parse().unwrap());
    }
    assert!(lines.events > 30, "only {} log lines were found", lines.events);
    assert!(lines.doubled.is_empty(), "{:#?}", lines.doubled);
}

#[test]
fn two_fields_of_one_name_would_be_found() {
    let line = r#"fn f() { tracing::warn!(%stream, message = %id, a.b = 1, ?pause, "said: {}", message) }"#;
    let mut lines = Lines::default();
    lines.read(line.parse().unwrap());
    assert_eq!((lines.events, lines.doubled.len()), (1, 1), "{:?}", lines.doubled);
}
