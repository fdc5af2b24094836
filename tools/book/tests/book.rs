//! The book is built, its programs are those that run, and its commands are run.

mod commands;
mod links;
mod programs;
mod reference;

use std::path::{Path, PathBuf};

use redstream_book::{Block, blocks, pages};

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is there")
}

/// The fenced blocks of the guides, each with its place.
fn blocks_of_guides() -> Vec<(String, Block)> {
    let root = root();
    let pages = pages(&root).expect("they can be read");
    let guides = pages.iter().filter(|page| page.starts_with(root.join("docs/guides")));
    let blocks = guides.flat_map(|page| {
        let text = std::fs::read_to_string(page).expect("it is text");
        let name = page.strip_prefix(&root).expect("it is below the root").display().to_string();
        blocks(&text).into_iter().map(move |block| (format!("{name}:{}", block.line), block)).collect::<Vec<_>>()
    });
    blocks.collect()
}
