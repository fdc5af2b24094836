//! The modules of each crate form layers, and import from layers below only: see the tables. Without that order a
//! reader cannot tell where a path begins.
//!
//! A module is a file or folder directly below `src`. An import is a `use`, or a path within code, that begins with
//! `crate::`, or with as many `super::` as lead to the crate's root. A name that the root re-exports counts as one of
//! the module that it is re-exported from. Code for tests alone (`#[cfg(test)]`) and the root, `lib.rs`, are not
//! checked.

mod syntax;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use self::syntax::{after_test, declared, is_colon, one_path, tokens, tree, uses, word};

/// From top to bottom.
type Layers = &'static [&'static [&'static str]];

const CORE: Layers = &[
    &["fuzzing"],
    &["overview"],
    &["sharding"],
    &["stream"],
    &["delayer", "reindex", "trimmer"],
    &["consumer"],
    &["producer"],
    &["worker"],
    &["redstream"],
    &["transport"],
    &["error", "keys"],
    &["message"],
    &["failpoint", "metrics", "text", "time"],
];

const SEAORM: Layers = &[
    &["drop_in", "testing"],
    &["redstream_ext"],
    &["swap"],
    &["verify"],
    &["reindex", "workers"],
    &["bulk"],
    &["connection"],
    &["hooks"],
    &["unit_of_work"],
    &["guard", "index", "outbox"],
    &["entity"],
    &["error", "failpoint"],
];

const SINKS: Layers =
    &[&["cache", "elasticsearch", "redisearch", "sql", "tantivy", "webhook"], &["updates"], &["http", "redis_keys"]];

const WEB: Layers = &[
    &["dashboard", "probes"],
    &["actions", "events", "page"],
    &["dead", "look", "security", "trim"],
    &["snapshot"],
    &["state"],
    &["latest", "task"],
    &["audit", "rates"],
    &["error", "health", "pace", "verb"],
];

/// One import of one module by another.
#[derive(Clone, Debug)]
struct Import {
    from: String,
    to: String,
    /// `src/producer.rs:12: crate::transport::resp::CHUNK`
    place: String,
}

/// The imports of one crate.
#[derive(Debug, Default)]
struct Sources {
    src: PathBuf,
    modules: BTreeSet<String>,
    /// Names of the root, each with the module that it comes from; `None`: from another crate, or defined at the root
    /// itself.
    reexports: BTreeMap<String, Option<String>>,
    /// Each path from the root, with the module that it is in, and its place.
    paths: Vec<(String, Vec<String>, String)>,
}

impl Sources {
    fn read(crate_: &str) -> Self {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(crate_).join("src");
        let root = tokens(&src.join("lib.rs"));
        let mut sources = Self { src, ..Self::default() };
        let (children, inline) = declared(&root);
        sources.modules = children.iter().cloned().collect();
        sources.reexports = inline.into_iter().map(|name| (name, None)).collect();
        for path in uses(&root).into_iter().filter(|path| path.len() > 1) {
            let name = path.last().cloned().unwrap_or_default();
            let from = path.iter().find(|part| *part != "crate" && *part != "self").cloned();
            sources.reexports.insert(name, from.filter(|module| children.contains(module)));
        }
        for module in children {
            sources.file(&[module]);
        }
        sources
    }

    /// A module's file, and those of the modules that it declares.
    fn file(&mut self, module: &[String]) {
        let name = format!("{}.rs", module.join("/"));
        let code = tokens(&self.src.join(&name));
        self.code(&name, module, &code);
        for child in declared(&code).0 {
            self.file(&[module, &[child]].concat());
        }
    }

    fn code(&mut self, file: &str, module: &[String], code: &[TokenTree]) {
        let mut at = 0;
        while at < code.len() {
            if let Some(after) = after_test(code, at) {
                at = after;
                continue;
            }
            let word = word(&code[at..]);
            let path_begins = at == 0 || !is_colon(code.get(at - 1));
            match &code[at] {
                TokenTree::Ident(_) if path_begins && ["crate", "super", "self"].contains(&word.as_str()) => {
                    at = self.path(file, module, code, at);
                    continue;
                }
                // A macro that is exported is a name of the root.
                TokenTree::Ident(_) if word == "macro_rules" => {
                    self.reexports.insert(code[at + 2].to_string(), Some(module[0].clone()));
                }
                TokenTree::Ident(_) if word == "mod" => {
                    if let [_, TokenTree::Ident(child), TokenTree::Group(body), ..] = &code[at..] {
                        let inner: Vec<TokenTree> = body.stream().into_iter().collect();
                        self.code(file, &[module, &[child.to_string()]].concat(), &inner);
                        at += 3;
                        continue;
                    }
                }
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    self.code(file, module, &inner);
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// The path that begins at `at`; returns the position after the part that leads to the root.
    fn path(&mut self, file: &str, module: &[String], code: &[TokenTree], mut at: usize) -> usize {
        let line = code[at].span().start().line;
        let mut above = module.len();
        loop {
            match word(&code[at..]).as_str() {
                "crate" => above = 0,
                "super" => above = above.saturating_sub(1),
                "self" => {}
                _ => break,
            }
            if !(is_colon(code.get(at + 1)) && is_colon(code.get(at + 2))) {
                return at + 1;
            }
            at += 3;
        }
        if above > 0 {
            return at;
        }
        let mut paths = Vec::new();
        match code.get(at) {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                tree(&group.stream(), &[], &mut paths);
            }
            _ => tree(&one_path(&code[at..]), &[], &mut paths),
        }
        for path in paths.into_iter().filter(|path| !path.is_empty() && path[0] != "self") {
            let place = format!("src/{file}:{line}: crate::{}", path.join("::"));
            self.paths.push((module[0].clone(), path, place));
        }
        at + 1
    }

    /// What imports what, and the places whose path begins with no name of the root.
    fn imports(&self) -> (Vec<Import>, Vec<String>) {
        let (mut imports, mut unknown) = (Vec::new(), Vec::new());
        for (from, path, place) in &self.paths {
            let to = if self.modules.contains(&path[0]) {
                Some(&path[0])
            } else if let Some(module) = self.reexports.get(&path[0]) {
                module.as_ref()
            } else {
                unknown.push(place.clone());
                None
            };
            if let Some(to) = to.filter(|to| *to != from) {
                imports.push(Import { from: from.clone(), to: to.clone(), place: place.clone() });
            }
        }
        (imports, unknown)
    }

    /// All imports that violate the table.
    fn faults(&self, layers: Layers) -> Vec<String> {
        let layer = |module: &str| layers.iter().position(|layer| layer.contains(&module));
        let (imports, unknown) = self.imports();
        let missing = self.modules.iter().filter(|module| layer(module).is_none());
        let mut faults: Vec<String> = missing.map(|module| format!("{module} is in no layer of the table")).collect();
        let gone = layers.iter().copied().flatten().filter(|module| !self.modules.contains(**module));
        faults.extend(gone.map(|module| format!("the table names {module}, which is not there")));
        faults.extend(unknown.iter().map(|place| format!("{place}: the root has no such name")));
        for Import { from, to, place } in &imports {
            if layer(to) < layer(from) {
                faults.push(format!("{place}: {to} is above {from}"));
            }
        }
        // Every import from above also closes a cycle; the others are within a layer.
        if faults.is_empty() {
            faults.extend(circles(&imports));
        }
        faults
    }
}

/// For each two modules that import each other, directly or through others, the first import of the path between them.
fn circles(imports: &[Import]) -> Vec<String> {
    let mut below: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Import { from, to, .. } in imports {
        below.entry(from).or_default().insert(to);
    }
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(module) = next.pop() {
            if module == to {
                return true;
            }
            if seen.insert(module) {
                next.extend(below.get(module).into_iter().flatten());
            }
        }
        false
    };
    let closing = imports.iter().filter(|import| reaches(&import.to, &import.from));
    let told: BTreeSet<(&str, &str)> = closing.clone().map(|import| (&*import.from, &*import.to)).collect();
    let first = |(from, to): &(&str, &str)| {
        let place = closing.clone().find(|import| import.from == *from && import.to == *to);
        format!("{}: {from} and {to} are in a circle", place.map_or("", |import| import.place.as_str()))
    };
    told.iter().map(first).collect()
}

#[track_caller]
fn check(crate_: &str, layers: Layers) {
    let sources = Sources::read(crate_);
    assert!(sources.paths.len() > 50, "{crate_}: only {} paths were found", sources.paths.len());
    let faults = sources.faults(layers);
    assert!(faults.is_empty(), "{crate_}:\n{}", faults.join("\n"));
}

#[test]
fn the_engines_modules_import_downwards() {
    check("redstream-core", CORE);
}

#[test]
fn the_adapters_modules_import_downwards() {
    check("redstream-seaorm", SEAORM);
}

#[test]
fn the_sinks_modules_import_downwards() {
    check("redstream-sinks", SINKS);
}

#[test]
fn the_dashboards_modules_import_downwards() {
    check("redstream-web", WEB);
}

/// Two modules, `high` and `low`, and what `low` contains.
fn faults_of(low: &str) -> Vec<String> {
    let names = [("High", Some("high".to_owned())), ("Low", Some("low".to_owned())), ("Elsewhere", None)];
    let mut sources = Sources {
        modules: ["high", "low"].map(str::to_owned).into(),
        reexports: names.map(|(name, module)| (name.to_owned(), module)).into(),
        ..Sources::default()
    };
    let code = |text: &str| text.parse::<TokenStream>().unwrap().into_iter().collect::<Vec<_>>();
    sources.code("low.rs", &["low".to_owned()], &code(low));
    sources.faults(&[&["high"], &["low"]])
}

#[test]
fn an_import_from_above_is_found_however_it_is_written() {
    for import in [
        "use crate::high::Thing;",
        "use crate::{Elsewhere, high::{Thing}};",
        "use crate::High;",
        "use super::high::Thing as Other;",
        "use std::fmt; pub(crate) use crate::{Low, High as Top};",
        "fn f() -> Vec<crate::high::Thing> { vec![] }",
        "macro_rules! m { () => { $crate::high::f() } }",
        "mod inner { use super::super::High; }",
        "#[cfg(not(test))] use crate::high::Thing;",
    ] {
        let faults = faults_of(&format!("\n{import}"));
        assert_eq!(faults.len(), 1, "{import}: {faults:?}");
        assert!(
            faults[0].starts_with("src/low.rs:2: crate::") && faults[0].ends_with(": high is above low"),
            "{faults:?}"
        );
    }
    assert!(faults_of("use crate::Gone;")[0].ends_with("crate::Gone: the root has no such name"));
}

#[test]
fn imports_of_ones_own_and_of_tests_are_none() {
    for code in [
        "use crate::low::Thing; use crate::Low; use crate::Elsewhere;",
        "mod inner { use super::high::Thing; }",
        "use self::high::Thing; use other::high::Thing; pub(crate) fn f() {}",
        "#[cfg(test)] mod tests { use crate::high::Thing; }",
        "#[cfg(test)] use crate::high::Thing;",
        "/// See [`crate::high::Thing`].\nfn f() { let text = \"crate::high\"; }",
    ] {
        assert_eq!(faults_of(code), [""; 0], "{code}");
    }
}

#[test]
fn a_circle_is_found_within_a_layer_too() {
    let path = |from: &str, to: &str| (from.to_owned(), vec![to.to_owned()], format!("{from} to {to}"));
    let modules = ["a", "b", "c", "d"].map(str::to_owned).into();
    let paths = vec![path("a", "b"), path("b", "c"), path("c", "a"), path("a", "d")];
    let sources = Sources { modules, paths, ..Sources::default() };
    let faults = sources.faults(&[&["a", "b", "c", "d"]]);
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults.contains(&"c to a: c and a are in a circle".to_owned()), "{faults:?}");
}
