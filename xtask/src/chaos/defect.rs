//! The deliberate defects: patches to the product, in `tools/chaos/mutations/law-N/NAME.patch`.

use super::Only;
use crate::cargo::workspace;
use anyhow::{Context, Result, ensure};
use diffy::patch_set::{FileOperation, ParseOptions, PatchKind, PatchSet};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A patch that breaks a law.
#[derive(Debug)]
pub(crate) struct Defect {
    pub(crate) law: u8,
    pub(crate) name: String,
    /// The schedules that can catch it: the second line of the patch is `Only search.`
    pub(crate) only: Option<Only>,
    path: PathBuf,
}

/// Texts of files, by their paths in the workspace.
pub(crate) type Files = BTreeMap<PathBuf, String>;

impl Defect {
    /// All of them, by law and name.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let mut defects = Vec::new();
        for law in entries(&workspace().join("tools/chaos/mutations"))? {
            for path in entries(&law)? {
                defects.push(Self::at(path)?);
            }
        }
        defects.sort_by(|a, b| (a.law, &a.name).cmp(&(b.law, &b.name)));
        Ok(defects)
    }

    pub(crate) fn named(name: &str) -> Result<Self> {
        let all = Self::all()?;
        let names: Vec<_> = all.iter().map(|defect| defect.name.clone()).collect();
        let defect = all.into_iter().find(|defect| defect.name == name);
        defect.with_context(|| format!("there is no defect {name}, but these: {}", names.join(", ")))
    }

    fn at(path: PathBuf) -> Result<Self> {
        let unexpected = || format!("{} is not law-N/NAME.patch", path.display());
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".patch"));
        let law =
            path.parent().and_then(Path::file_name).and_then(|law| law.to_str()?.strip_prefix("law-")?.parse().ok());
        let (name, law) = (name.with_context(unexpected)?.to_owned(), law.with_context(unexpected)?);
        let only = read(&path)?.lines().nth(1) == Some("Only search.");
        Ok(Self { law, name, only: only.then_some(Only::Search), path })
    }

    /// The changed contents of its files.
    pub(crate) fn patched(&self) -> Result<Files> {
        let text = read(&self.path)?;
        apply(&text, |file| read(&workspace().join(file))).with_context(|| {
            let path = self.path.strip_prefix(workspace()).unwrap_or(&self.path).display();
            format!("{path} does not apply any more: put the defect into the code again, and keep what `git diff` says")
        })
    }
}

/// Applies a patch to the texts that `read` returns. Text before its first `---` is a comment.
fn apply(patch: &str, read: impl Fn(&Path) -> Result<String>) -> Result<Files> {
    let mut files = Files::new();
    for part in PatchSet::parse(patch, ParseOptions::unidiff()) {
        let part = part?;
        let operation = part.operation().strip_prefix(1);
        let FileOperation::Modify { original, modified } = &operation else {
            anyhow::bail!("it creates or deletes a file: {operation:?}");
        };
        ensure!(original == modified, "it renames {original}");
        let PatchKind::Text(patch) = part.patch() else { anyhow::bail!("it is no text") };
        let path = PathBuf::from(&**original);
        let text = diffy::apply(&read(&path)?, patch).with_context(|| original.to_string())?;
        ensure!(files.insert(path, text).is_none(), "it has two parts for {original}");
    }
    Ok(files)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    Ok(entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::{Defect, apply, read};
    use crate::cargo::workspace;
    use std::{collections::BTreeSet, path::Path};

    #[test]
    fn each_defect_applies_to_the_present_sources() {
        let mut broken = Vec::new();
        for defect in Defect::all().unwrap() {
            match defect.patched() {
                Ok(files) => {
                    for (path, text) in files {
                        assert_ne!(text, read(&workspace().join(&path)).unwrap(), "{} changes nothing", defect.name);
                        let sources = ["redstream-core/src", "redstream-seaorm/src", "redstream-sinks/src"];
                        let in_product = sources.iter().any(|sources| path.starts_with(sources));
                        assert!(in_product, "{} changes {}", defect.name, path.display());
                    }
                }
                Err(error) => broken.push(format!("{error:#}")),
            }
        }
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[test]
    fn each_law_has_a_defect() {
        let laws: BTreeSet<u8> = Defect::all().unwrap().iter().map(|defect| defect.law).collect();
        assert_eq!(laws, (1..=10).collect());
    }

    #[test]
    fn a_patch_says_in_its_first_line_which_law_it_breaks() {
        for defect in Defect::all().unwrap() {
            let text = read(&defect.path).unwrap();
            assert!(text.starts_with(&format!("Law {}: ", defect.law)), "{}", defect.name);
        }
    }

    const PATCH: &str = "Law 1: a comment.\n\n--- a/a.rs\n+++ b/a.rs\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";

    fn applied_to(text: &str) -> Result<String, String> {
        let files = apply(PATCH, |_| Ok(text.to_owned())).map_err(|error| format!("{error:#}"))?;
        Ok(files[Path::new("a.rs")].clone())
    }

    #[test]
    fn a_patch_applies_if_its_lines_have_moved_and_not_if_they_have_changed() {
        assert_eq!(applied_to("one\ntwo\nthree\n"), Ok("one\n2\nthree\n".to_owned()));
        assert_eq!(applied_to("zero\n\none\ntwo\nthree\n"), Ok("zero\n\none\n2\nthree\n".to_owned()));
        let error = applied_to("one\ntwo \nthree\n").unwrap_err();
        assert!(error.starts_with("a.rs: "), "{error}");
    }
}
