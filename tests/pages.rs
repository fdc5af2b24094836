//! The pages name tests as proofs: each of these must exist. A program on a page is one that is run.

use std::path::{Path, PathBuf};

/// `core::lock::a_stale_owners_commit_is_refused`, `core::trimmer`, … in backticks.
fn named_in(page: &str) -> Vec<String> {
    let is_test =
        |word: &&str| ["core::", "seaorm::", "sinks::", "flow::"].iter().any(|package| word.starts_with(package));
    page.split('`').filter(is_test).map(str::to_owned).collect()
}

/// The sources that a module's tests may be in: its file, and those in its folder.
fn sources(tests: &Path, package: &str, module: &str) -> Vec<PathBuf> {
    let folder = tests.join(package).join(module);
    let below = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let file = tests.join(package).join(format!("{module}.rs"));
    below.chain([file]).filter(|path| path.is_file()).collect()
}

#[test]
fn every_test_that_a_page_names_exists() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in [
        "../README.md",
        "../docs/guarantees.md",
        "../docs/coverage.md",
        "../docs/security.md",
        "../docs/redis.md",
        "../docs/workers.md",
        "../docs/reindex.md",
        "../docs/verify.md",
        "../docs/sinks.md",
        "../docs/cache.md",
    ] {
        let named = named_in(&std::fs::read_to_string(tests.join(page)).unwrap());
        assert!(named.len() > 5, "{page} names its proofs");
        all_exist(tests, page, named);
    }
    for guide in std::fs::read_dir(tests.join("../docs/guides")).unwrap() {
        let guide = guide.unwrap().path();
        all_exist(tests, &guide.display().to_string(), named_in(&std::fs::read_to_string(&guide).unwrap()));
    }
}

fn all_exist(tests: &Path, page: &str, named: Vec<String>) {
    for name in named {
        let mut parts = name.split("::");
        let (package, module, test) = (parts.next().unwrap(), parts.next().unwrap(), parts.last());
        let sources = sources(tests, package, module);
        assert!(!sources.is_empty(), "{page} names `{name}`, and there is no such file");
        if let Some(test) = test {
            let there = |path: &PathBuf| {
                let holds = || std::fs::read_to_string(path).unwrap().contains(&format!("fn {test}("));
                path.file_stem().is_some_and(|file| file == test) || holds()
            };
            assert!(sources.iter().any(there), "{page} names `{name}`, and there is no such test");
        }
    }
}

#[test]
fn a_program_on_a_page_is_the_example_that_the_tests_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (page, example) = ("docs/search.md", "examples/search_server.rs");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let (page_text, example_text) = (read(page), read(example));
    let (_, program) = page_text.split_once("```rust\n").expect("a program");
    let (program, _) = program.split_once("```\n").expect("its end");
    let (example_program, _) = example_text.split_once("#[cfg(test)]").expect("a test");
    let (_, example_program) = example_program.split_once("\n\n").expect("the end of its description");
    assert_eq!(program.trim(), example_program.trim(), "copy {example} to {page}");
}
