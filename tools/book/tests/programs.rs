//! Each program of a guide is a part of a file that is compiled and run.
//!
//! The comment above a block names the file, from the root of the repository. The block's lines stand in it one after
//! the other, whatever their indentation; a line `// …` leaves some out.

use std::collections::HashMap;
use std::fs;

use redstream_book::Block;

use super::{blocks_of_guides, root};

#[test]
fn every_program_of_a_guide_is_a_part_of_one_that_is_run() {
    let (mut files, mut faults, mut programs) = (HashMap::new(), Vec::new(), 0);
    for (place, block) in blocks_of_guides() {
        if !["rust", "toml", "json", "conf"].contains(&block.language.as_str()) {
            assert!(!block.language.starts_with("rust"), "{place}: a program is `rust`, without more");
            continue;
        }
        let Some(file) = &block.file else {
            if block.language == "rust" {
                faults.push(format!("{place}: no comment above it names the file that it is a part of"));
            }
            continue;
        };
        programs += 1;
        let read = || fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{place}: {file}: {error}"));
        let text = files.entry(file.clone()).or_insert_with(read);
        if let Some(missing) = missing(&block, text) {
            faults.push(format!("{place}: {file} does not contain, in this order:\n{missing}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(programs > 10, "only {programs} programs were found");
}

/// The first part of a block that the file does not have after the parts before it.
fn missing(block: &Block, file: &str) -> Option<String> {
    let lines = |lines: Vec<&str>| -> Vec<String> { lines.into_iter().map(|line| line.trim().to_owned()).collect() };
    let file = lines(file.lines().collect());
    let mut rest = file.as_slice();
    for part in block.lines.split(|line| line.trim() == "// …") {
        let part = lines(part.iter().map(String::as_str).collect());
        let part = part.join("\n").trim().lines().map(str::to_owned).collect::<Vec<_>>();
        let Some(at) = rest.windows(part.len().max(1)).position(|window| window == part) else {
            return Some(part.join("\n"));
        };
        rest = &rest[at + part.len()..];
    }
    None
}

#[test]
fn a_program_that_differs_from_its_file_is_found() {
    let block = |text: &str| Block {
        language: "rust".to_owned(),
        file: None,
        line: 1,
        lines: text.lines().map(str::to_owned).collect(),
    };
    let file = "fn a() {\n    one();\n    two();\n    three();\n}\n";
    assert_eq!(missing(&block("one();\ntwo();"), file), None);
    assert_eq!(missing(&block("fn a() {\n// …\n    three();\n}"), file), None);
    assert_eq!(missing(&block("one();\nthree();"), file), Some("one();\nthree();".to_owned()));
    assert_eq!(missing(&block("two();\n// …\none();"), file), Some("one();".to_owned()), "in this order");
}
