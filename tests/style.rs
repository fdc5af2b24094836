//! Comments: plain words, and lines that are wrapped.

use std::path::{Path, PathBuf};

/// In bytes, as for code.
const WIDTH: usize = 120;

/// Old-fashioned ones, for which there is a plainer sentence.
const WORDS: [&str; 3] = ["nobody", "whoever", "anybody"];

#[test]
fn comments_are_wrapped_and_use_plain_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for folder in [
        "redstream-cli",
        "redstream-core",
        "redstream-seaorm",
        "redstream-sinks",
        "redstream-web",
        "examples",
        "tests",
        "tools",
        "xtask",
    ] {
        sources(&root.join(folder), &mut files);
    }
    assert!(files.len() > 500, "only {} files were found", files.len());
    let faults: Vec<String> = files.iter().flat_map(|file| faults(root, file)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() && name != "target" {
            sources(&path, files);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}

fn faults(root: &Path, file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let name = file.strip_prefix(root).unwrap().display();
    let mut is_code = false;
    let mut faults = Vec::new();
    for (nth, line) in text.lines().enumerate() {
        let Some((before, comment)) = line.split_once("//") else {
            is_code = false;
            continue;
        };
        if !before.trim().is_empty() {
            continue;
        }
        let comment = comment.trim_start_matches(['/', '!']).trim();
        if comment.starts_with("```") {
            is_code = !is_code;
        }
        // A row of a table, and a line of an example, are not wrapped.
        if line.len() > WIDTH && !is_code && !comment.starts_with('|') {
            faults.push(format!("{name}:{}: the comment has {} bytes", nth + 1, line.len()));
        }
        let words = comment.to_lowercase();
        for word in WORDS.iter().filter(|word| words.split(|c: char| !c.is_alphabetic()).any(|other| other == **word)) {
            faults.push(format!("{name}:{}: {word}", nth + 1));
        }
    }
    faults
}
