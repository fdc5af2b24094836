//! The reference leaves nothing out: each option, error, key and attribute of the sources is named there.

use std::fs;

use super::root;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What of these names the page does not have in backticks, alone or as the beginning of a call.
fn left_out(page: &str, names: &[String]) -> Vec<String> {
    let spans: Vec<_> = page.split('`').skip(1).step_by(2).collect();
    let is_there = |name: &String| {
        spans.iter().any(|span| {
            span.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '(']))
        })
    };
    names.iter().filter(|name| !is_there(name)).cloned().collect()
}

/// The names of the setters that a file has: `pub fn name(mut self, …`.
fn setters(path: &str) -> Vec<String> {
    let text = read(path);
    let named = text.lines().filter_map(|line| line.trim().strip_prefix("pub fn ")?.split_once("(mut self"));
    named.map(|(name, _)| name.to_owned()).collect()
}

/// The variants of the enum `Error` of a file.
fn variants(path: &str) -> Vec<String> {
    let text = read(path);
    let (_, body) = text.split_once("pub enum Error {").expect("there is one");
    let (body, _) = body.split_once("\n}").expect("it ends");
    let variant = |line: &str| {
        let name = line.strip_prefix("    ").filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))?;
        name.split(|c: char| !c.is_alphanumeric()).next().map(str::to_owned)
    };
    body.lines().filter_map(variant).collect()
}

/// What a file's own documentation has between backticks at the beginning of a line.
fn documented(path: &str, before: &str) -> Vec<String> {
    let text = read(path);
    let begins = text.lines().filter_map(|line| line.strip_prefix(before)?.split_once('`'));
    begins.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_reference_names_every_option_error_attribute_and_key() {
    let page = read("docs/guides/reference.md");
    // The page has one consumer's name, and its locks are longer.
    let keys = documented("redstream-core/src/keys.rs", "//! | `");
    let keys = keys.iter().filter(|key| key.starts_with("redstream")).map(|key| key.replace("CONSUMER", "search"));
    // `shards = 4` is named by its first word.
    let attributes = documented("redstream-seaorm/macros/src/lib.rs", "/// - `");
    let attributes = attributes.iter().filter_map(|name| name.split([' ', '(']).next().map(str::to_owned));
    for (what, names) in [
        ("options of ConnectOptions", setters("redstream-core/src/transport/options.rs")),
        ("options of StreamedConnection", setters("redstream-seaorm/src/connection/builder.rs")),
        ("errors of redstream-core", variants("redstream-core/src/error.rs")),
        ("attributes", attributes.collect()),
        ("keys", keys.collect()),
    ] {
        assert!(names.len() > 5, "{what}: only {names:?} were found");
        let left_out = left_out(&page, &names);
        assert!(left_out.is_empty(), "docs/guides/reference.md leaves out {what}: {left_out:?}");
    }
}
