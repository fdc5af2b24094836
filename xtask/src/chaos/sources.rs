//! A copy of the workspace's sources, to which a defect is applied.

use super::defect::Files;
use crate::cargo::workspace;
use anyhow::{Context, Result};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Makes `copy` the workspace's sources with these files changed. A file that is already identical is not written, so
/// that cargo builds again only what has changed.
pub(super) fn copy(copy: &Path, changed: &Files) -> Result<()> {
    let mut sources = BTreeSet::new();
    list(&workspace(), Path::new(""), &mut sources)?;
    for source in &sources {
        let text = match changed.get(source) {
            Some(text) => text.clone().into_bytes(),
            None => {
                fs::read(workspace().join(source)).with_context(|| format!("could not read {}", source.display()))?
            }
        };
        write(&copy.join(source), &text)?;
    }
    let mut copied = BTreeSet::new();
    list(copy, Path::new(""), &mut copied)?;
    for gone in copied.difference(&sources) {
        fs::remove_file(copy.join(gone)).with_context(|| format!("could not remove {}", gone.display()))?;
    }
    Ok(())
}

/// All files below `root/folder`, by their paths from `root`: without build output and hidden files.
fn list(root: &Path, folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(root.join(folder)).with_context(|| format!("could not list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (name, path) = (entry.file_name(), folder.join(entry.file_name()));
        if name == "target" || name.to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            list(root, &path, files)?;
        } else {
            files.insert(path);
        }
    }
    Ok(())
}

fn write(path: &Path, text: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    let folder = path.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}
