//! The pages name tests as proofs: each of these must exist.

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
}
