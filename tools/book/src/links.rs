//! Links within the book, read from its HTML: each must lead to a file of it, and to an anchor.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::files_named;

/// What one page links, and which anchors it has.
struct Page {
    path: PathBuf,
    targets: Vec<String>,
    anchors: HashSet<String>,
}

/// Links that lead nowhere, of the book in this folder.
pub(crate) fn faults(book: &Path) -> Result<Vec<String>> {
    let pages = files_named(book, "html")?.into_iter().map(|path| read(book, path)).collect::<Result<Vec<_>>>()?;
    let anchors: HashMap<&Path, &HashSet<String>> =
        pages.iter().map(|page| (page.path.as_path(), &page.anchors)).collect();
    let mut faults = Vec::new();
    for page in &pages {
        for target in page.targets.iter().filter(|target| !has_scheme(target)) {
            if !leads_somewhere(book, &page.path, target, &anchors) {
                faults.push(format!("{}: {target}: the book has no such page or anchor", page.path.display()));
            }
        }
    }
    Ok(faults)
}

/// `https:`, `mailto:`, …
fn has_scheme(target: &str) -> bool {
    target.split_once(':').is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric()))
}

fn leads_somewhere(book: &Path, page: &Path, target: &str, anchors: &HashMap<&Path, &HashSet<String>>) -> bool {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let file = if path.is_empty() { page.to_owned() } else { page.with_file_name("").join(path) };
    let Ok(file) = book.join(file).canonicalize() else { return false };
    let Some(anchor) = anchor.filter(|anchor| !anchor.is_empty()) else { return true };
    let within = book.canonicalize().ok().and_then(|book| file.strip_prefix(book).ok().map(Path::to_owned));
    within.and_then(|file| anchors.get(file.as_path()).copied()).is_some_and(|anchors| anchors.contains(anchor))
}

fn read(book: &Path, path: PathBuf) -> Result<Page> {
    let html = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    let path = path.strip_prefix(book).map(Path::to_owned).unwrap_or(path);
    let (mut targets, mut anchors) = (Vec::new(), HashSet::new());
    for tag in tags(&html) {
        targets.extend(["href", "src"].iter().filter_map(|name| attribute(tag, name)));
        anchors.extend(attribute(tag, "id"));
    }
    Ok(Page { path, targets, anchors })
}

/// The insides of all tags, of HTML that was written by a program: text has no `<`, and scripts are left out.
fn tags(html: &str) -> Vec<&str> {
    let (mut tags, mut rest) = (Vec::new(), html);
    while let Some((_, after)) = rest.split_once('<') {
        let Some((tag, after)) = after.split_once('>') else { break };
        tags.push(tag);
        rest = after;
        if tag.starts_with("script") {
            rest = rest.split_once("</script").map_or("", |(_, after)| after);
        } else if tag.starts_with("!--") && !tag.ends_with("--") {
            rest = rest.split_once("-->").map_or("", |(_, after)| after);
        }
    }
    tags
}

/// An attribute's value, with the one reference undone that addresses contain.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    Some(value.split_once('"')?.0.replace("&amp;", "&"))
}
