//! The book: the pages of docs/ as HTML, in the order of docs/SUMMARY.md, with every link checked.
//!
//! # Layout
//!
//! - `repository`: links that leave the book become addresses of the repository, and must lead to a file
//! - `links`: links within the HTML must lead to a page and an anchor
//! - `anchors`: the anchors that GitHub gives the headings of a page
//! - `blocks`: the fenced blocks of a page, which tests compile and run

mod anchors;
mod blocks;
mod links;
mod repository;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use mdbook_driver::MDBook;

pub use self::blocks::{Block, blocks};

/// The folder of the pages, below the root of the repository.
pub const SOURCE: &str = "docs";

/// Builds the book of the repository at `root` into the folder `to`. Returns what is wrong with its links: nothing if
/// all is well.
///
/// # Errors
/// If a page cannot be read, or the book cannot be written.
pub fn build(root: &Path, to: &Path) -> Result<Vec<String>> {
    let mut book = MDBook::load(root)?;
    to.clone_into(&mut book.config.build.build_dir);
    let links = repository::Links::default();
    book.with_preprocessor(links.clone());
    book.build()?;
    let mut faults = links.faults();
    faults.extend(links::faults(to)?);
    faults.extend(left_out(root, &book)?);
    Ok(faults)
}

/// The pages that the summary does not name.
fn left_out(root: &Path, book: &MDBook) -> Result<Vec<String>> {
    let source = root.join(SOURCE);
    let named: Vec<PathBuf> = book.book.chapters().filter_map(|chapter| chapter.source_path.clone()).collect();
    let is_left_out = |page: &PathBuf| {
        let page = page.strip_prefix(&source).unwrap_or(page);
        page != Path::new("SUMMARY.md") && !named.iter().any(|named| named == page)
    };
    let faults = pages(root)?.into_iter().filter(is_left_out);
    Ok(faults.map(|page| format!("{}: {SOURCE}/SUMMARY.md does not name it", page.display())).collect())
}

/// The paths of all pages, sorted.
///
/// # Errors
/// If a folder cannot be read.
pub fn pages(root: &Path) -> Result<Vec<PathBuf>> {
    files_named(&root.join(SOURCE), "md")
}

/// The files below a folder whose names have this extension, sorted.
fn files_named(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_named(&path, extension)?);
        } else if path.extension().is_some_and(|of| of == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
