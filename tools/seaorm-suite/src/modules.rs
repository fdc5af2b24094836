//! SeaORM's test files, made modules of one test binary.
//!
//! Sixty binaries take many minutes to build, one takes one. So each test file becomes a module, and the modules that
//! each file declares, `mod common { … }`, `mod crud;` and `mod local;`, become modules of the root that all share.
//! Nothing else is changed, and unexpected content is an error.

use anyhow::{Result, ensure};

/// Modules that several files declare, and their paths.
pub(crate) const SHARED: [(&str, &str); 2] = [("crud", "crud/mod.rs"), ("local", "partial_model_nested/local/mod.rs")];

/// A file that uses the shared modules instead of its own.
pub(crate) fn share(text: &str) -> Result<String> {
    let mut lines = Vec::new();
    let mut rest = text.lines();
    while let Some(line) = rest.next() {
        let declared = line.trim_start_matches("pub ").strip_prefix("mod ");
        if declared == Some("common {") {
            for line in rest.by_ref().map(str::trim).take_while(|line| *line != "}") {
                let module = line.starts_with("pub mod ") && line.ends_with(';');
                let known = module || line == "pub use setup::TestContext;" || line.starts_with("#[");
                ensure!(known, "`{line}` in `mod common` is new");
            }
            drop_attributes(&mut lines);
            lines.push("use crate::common;".to_owned());
        } else if let Some((name, _)) = SHARED.iter().find(|shared| declared == Some(&format!("{};", shared.0))) {
            drop_attributes(&mut lines);
            lines.push(format!("use crate::{name};"));
        } else {
            ensure!(!line.contains("mod common"), "`{line}` was not understood");
            lines.push(line.to_owned());
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// Removes the attributes of the next declaration.
fn drop_attributes(lines: &mut Vec<String>) {
    while lines.last().is_some_and(|line| line.starts_with("#[")) {
        lines.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn what_a_file_declares_as_its_own_is_shared() {
        let file = "#![allow(unused)]\n#[path = \"../common\"]\npub mod common {\n    #[cfg(not(feature = \"sync\"))]\n    \
                    pub mod runtime;\n    pub use setup::TestContext;\n}\nmod crud;\n#[path = \"x.rs\"]\nmod local;\n\
                    fn test() { assert!(true) }\n";
        let shared =
            "#![allow(unused)]\nuse crate::common;\nuse crate::crud;\nuse crate::local;\nfn test() { assert!(true) }\n";
        assert_eq!(share(file).unwrap(), shared);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert!(share("mod common {\n    fn new() {}\n}\n").is_err());
        assert!(share("mod common;\n").is_err());
    }
}
