//! Links of the book.

use std::fs;

use redstream_book::{build, pages};

use super::root;

/// What a task needs is found at a glance.
const LONGEST_GUIDE: usize = 200;

#[test]
fn the_book_builds_and_every_link_leads_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    let faults = build(&root(), folder.path()).unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for file in ["index.html", "guides/five-minutes.html", "guarantees.html", "images/dashboard-light.png"] {
        assert!(folder.path().join(file).is_file(), "{file} is missing");
    }
    let page = fs::read_to_string(folder.path().join("sinks.html")).unwrap();
    assert!(page.contains("https://github.com/redstream-rs/redstream/tree/main/examples\""), "links lead to GitHub");
    for page in ["index.html", "guides/how-it-works.html"] {
        let text = fs::read_to_string(folder.path().join(page)).unwrap();
        let is_asked_elsewhere =
            |tag: &str| tag.contains("src=\"http") || tag.starts_with("link rel=\"stylesheet\" href=\"http");
        assert!(!text.split('<').any(is_asked_elsewhere), "{page} needs the network");
    }
}

#[test]
fn what_leads_nowhere_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("book.toml", "[book]\nsrc = \"docs\"\n[output.html]\ninput-404 = \"\"\n");
    write("docs/SUMMARY.md", "# Summary\n\n- [A](a.md)\n- [B](b.md)\n");
    write(
        "docs/a.md",
        "# A\n\n[good](b.md#sum--total), [page](c.md), [anchor](b.md#none), [file](../none.rs), ![i](i.svg)\n",
    );
    write("docs/b.md", "# B\n\n## Sum & total\n\n[good](../there.rs), [web](https://example.org/none)\n");
    write("docs/left_out.md", "# Left out\n");
    write("there.rs", "");
    let faults = build(folder.path(), &folder.path().join("built")).unwrap();
    for (part, found) in [("c.md", 1), ("b.md#none", 1), ("../none.rs", 1), ("i.svg", 1), ("left_out.md", 1)] {
        let count = faults.iter().filter(|fault| fault.contains(part)).count();
        assert!(count >= found, "{part}: {faults:?}");
    }
    assert!(!faults.iter().any(|fault| fault.contains("sum--total") || fault.contains("there.rs")), "{faults:?}");
    let page = fs::read_to_string(folder.path().join("built/b.html")).unwrap();
    assert!(page.contains("https://github.com/redstream-rs/redstream/blob/main/there.rs"));
}

#[test]
fn guides_are_short() {
    let root = root();
    for page in pages(&root).unwrap().iter().filter(|page| page.starts_with(root.join("docs/guides"))) {
        let lines = fs::read_to_string(page).unwrap().lines().count();
        assert!(lines <= LONGEST_GUIDE, "{} has {lines} lines", page.display());
    }
}
