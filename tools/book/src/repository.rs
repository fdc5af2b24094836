//! Links that leave the book, to files of the repository.
//!
//! On GitHub a page's `../examples/outbox.rs` leads to the file. A book is served without the repository, so such a
//! link becomes an address at GitHub.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mdbook_driver::book::{Book, Chapter};
use mdbook_driver::errors::Result;
use mdbook_markdown::pulldown_cmark::{Event, Parser, Tag};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

use crate::{SOURCE, anchors};

/// What a file is read by, and a folder.
const ADDRESS: &str = "https://github.com/redstream-rs/redstream";

/// The preprocessor. Its clones share the faults that it finds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links(Arc<Mutex<Vec<String>>>);

impl Links {
    /// Links that lead nowhere.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn rewrite(&self, root: &Path, chapter: &mut Chapter) {
        let Some(page) = chapter.source_path.clone() else { return };
        let mut changes = Vec::new();
        for (target, place) in targets(&chapter.content) {
            match followed(root, &page, &target) {
                Ok(Some(address)) => changes.extend(destination(&chapter.content, place, &target).zip(Some(address))),
                Ok(None) => {}
                Err(fault) => {
                    let fault = format!("{SOURCE}/{}: {target}: {fault}", page.display());
                    self.0.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
                }
            }
        }
        // From the end, so that the places before stay what they are.
        for (place, address) in changes.into_iter().rev() {
            chapter.content.replace_range(place, &address);
        }
    }
}

impl Preprocessor for Links {
    fn name(&self) -> &'static str {
        "repository"
    }

    fn run(&self, context: &PreprocessorContext, mut book: Book) -> Result<Book> {
        book.for_each_chapter_mut(|chapter| self.rewrite(&context.root, chapter));
        Ok(book)
    }
}

/// The relative targets of a page's links and images, each with the place of its link.
fn targets(page: &str) -> Vec<(String, Range<usize>)> {
    let parser: Parser<'_> = new_cmark_parser(page, &MarkdownOptions::default());
    let target = |(event, place)| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some((dest_url.into_string(), place)),
        _ => None,
    };
    let is_relative = |(target, _): &(String, _)| !target.contains("://") && !target.starts_with("mailto:");
    parser.into_offset_iter().filter_map(target).filter(is_relative).collect()
}

/// Where a link's target stands in the text: its last occurrence, since the link's text may name it, too.
fn destination(page: &str, link: Range<usize>, target: &str) -> Option<Range<usize>> {
    let begin = link.start + page.get(link)?.rfind(target)?;
    Some(begin..begin + target.len())
}

/// The address that a relative target stands for; `None` if it stays within the book, or why it leads nowhere.
fn followed(root: &Path, page: &Path, target: &str) -> Result<Option<String>, String> {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let page = Path::new(SOURCE).join(page);
    let file = if path.is_empty() { page } else { normal(&page.with_file_name("").join(path)) };
    if !root.join(&file).exists() {
        return Err("there is no such file".to_owned());
    }
    if let Some(anchor) = anchor {
        let known = known_anchors(&root.join(&file));
        if !known.contains(anchor) {
            return Err(format!("GitHub gives no heading of {} this anchor", file.display()));
        }
    }
    if file.starts_with(SOURCE) {
        return Ok(None);
    }
    let kind = if root.join(&file).is_dir() { "tree" } else { "blob" };
    let anchor = anchor.map(|anchor| format!("#{anchor}")).unwrap_or_default();
    Ok(Some(format!("{ADDRESS}/{kind}/main/{}{anchor}", file.display())))
}

fn known_anchors(file: &Path) -> HashSet<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    anchors::of(&text)
}

/// A relative path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = normal.pop(),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}
