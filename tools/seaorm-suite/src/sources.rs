//! SeaORM's tests, from its crates.io package: read from cargo's registry when they are run.

use crate::{left_out, modules, streamed};
use anyhow::{Context, Result, ensure};
use redstream_cargo::{cargo, workspace};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// SeaORM's package as cargo unpacked it: the version of `Cargo.lock`.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) version: String,
    tests: PathBuf,
}

impl Package {
    /// Asks cargo for its path.
    pub(crate) fn find() -> Result<Self> {
        let host = host()?;
        let metadata = cargo(&["metadata", "--format-version", "1", "--locked", "--filter-platform", &host]).output();
        let metadata = metadata.context("could not run cargo metadata")?;
        ensure!(metadata.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&metadata.stderr));
        let metadata: Value = serde_json::from_slice(&metadata.stdout).context("could not read cargo's metadata")?;
        let packages = metadata["packages"].as_array().context("cargo's metadata has no packages")?;
        let sea_orm = packages.iter().find(|package| package["name"] == "sea-orm").context("no sea-orm is locked")?;
        ensure!(sea_orm["source"].is_string(), "sea-orm does not come from a registry");
        let manifest = Path::new(sea_orm["manifest_path"].as_str().context("sea-orm has no manifest")?);
        let tests = manifest.with_file_name("tests");
        ensure!(tests.is_dir(), "the package of sea-orm has no tests at {}", tests.display());
        Ok(Self { version: sea_orm["version"].as_str().unwrap_or_default().to_owned(), tests })
    }

    /// Writes the tests out, with their entities unchanged or streamed.
    pub(crate) fn write(&self, streamed: bool) -> Result<Sources> {
        for (file, _) in left_out::FILES {
            ensure!(self.tests.join(format!("{file}.rs")).is_file(), "{file}, which is left out, is no longer there");
        }
        for (file, _) in left_out::ENTITIES {
            ensure!(self.tests.join(file).is_file(), "{file}, which is not streamed, is no longer there");
        }
        let place = workspace().canonicalize()?.join("target/seaorm-suite");
        let place = place.join(if streamed { "streamed" } else { "plain" });
        let mut sources = Sources { root: place.join("suite.rs"), entities: 0 };
        for source in files_below(&self.tests)? {
            let path = source.strip_prefix(&self.tests)?;
            let text = fs::read_to_string(&source).with_context(|| format!("could not read {}", source.display()))?;
            let mut text = modules::share(&text).with_context(|| format!("in SeaORM's {}", path.display()))?;
            if streamed && path.starts_with("common") {
                let entities;
                (text, entities) = streamed::entities(path, &text)?;
                sources.entities += entities;
            }
            write(&place.join("tests").join(path), &text)?;
        }
        write(&sources.root, &self.root(&place.join("tests"))?)?;
        Ok(sources)
    }

    /// The file that declares all others, which are written to `place`.
    fn root(&self, place: &Path) -> Result<String> {
        // One of them calls its own import `crate::DbErr`.
        let mut root = String::from("use sea_orm::DbErr;\npub mod common {\npub use self::setup::TestContext;\n");
        for name in modules(&self.tests.join("common"), "mod.rs")? {
            // The macro in there is in `suite.rs` already.
            if name != "runtime" {
                root += &declared(&name, &place.join(self.module("common", &name, "mod.rs")));
            }
        }
        root.push_str("}\n");
        for (name, path) in modules::SHARED {
            root += &declared(name, &place.join(path));
        }
        for name in modules(&self.tests, "main.rs")? {
            if left_out::FILES.iter().all(|(left_out, _)| *left_out != name) {
                root += &declared(&name, &place.join(self.module("", &name, "main.rs")));
            }
        }
        Ok(root)
    }

    /// The path of a module, relative to the tests' folder.
    fn module(&self, folder: &str, name: &str, file: &str) -> PathBuf {
        let flat = Path::new(folder).join(format!("{name}.rs"));
        if self.tests.join(&flat).is_file() { flat } else { Path::new(folder).join(name).join(file) }
    }
}

/// The folder that they were written to.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The file that declares all others.
    pub(crate) root: PathBuf,
    /// How many entities are streamed.
    pub(crate) entities: usize,
}

impl Sources {
    pub(crate) fn is_streamed(&self) -> bool {
        self.entities > 0
    }
}

/// The names of the modules in a folder: its Rust files, and its folders with a file of that name.
fn modules(folder: &Path, file: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))? {
        let path = entry?.path();
        if path.join(file).is_file() || path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().context("a module has a name")?;
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn declared(name: &str, path: &Path) -> String {
    format!("#[path = r\"{}\"]\npub mod {name};\n", path.display())
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.append(&mut files_below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

/// Does not write a file that is already identical, so that nothing is built a second time.
fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let folder = path.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}

/// The target platform.
fn host() -> Result<String> {
    let told = Command::new("rustc").arg("-vV").output().context("could not run rustc")?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not tell its host")
}
