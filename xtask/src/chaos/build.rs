//! Builds of the chaos harness, with failpoints, which no other build has.

use super::{defect::Defect, sources};
use crate::{
    cargo::{build_directory, cargo, workspace},
    interrupt,
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

const PROGRAM: &str = "redstream-chaos";

/// The harness without a defect.
pub(super) fn harness() -> Result<PathBuf> {
    let mut build = cargo(&["build"]);
    build.stderr(Stdio::inherit());
    carry_out(build, PROGRAM)
}

/// The harness with a defect in the product. Its sources are a copy of the workspace, always in the same folder, so
/// that code that two defects share is not built again.
pub(super) fn mutant(defect: &Defect) -> Result<PathBuf> {
    let copy = folder()?.join("sources");
    sources::copy(&copy, &defect.patched()?)?;
    let mut build = cargo(&["build"]);
    // It is not built for debugging. Dependencies have no debug information anyway.
    build.current_dir(&copy).env("CARGO_PROFILE_DEV_DEBUG", "false");
    carry_out(build, "redstream-chaos-mutant").with_context(|| format!("with the defect {}", defect.name))
}

/// Dependencies are those of the tests, and are not built again: the wrapper is for the workspace's crates only, the
/// features are those of the whole workspace, and a test target is named for the features that only tests have.
fn carry_out(mut build: Command, name: &str) -> Result<PathBuf> {
    build.args(["--workspace", "--bin", PROGRAM, "--test", "servers", "--locked", "--quiet"]);
    build.args(["--message-format", "json-render-diagnostics", "--features", "redstream-chaos/harness"]);
    build.env("CARGO_TARGET_DIR", target()?);
    build.env("RUSTC_WORKSPACE_WRAPPER", workspace().join("tools/chaos/rustc-with-failpoints"));
    let built = executable(&mut build)?;
    // Cargo puts each build in the same place.
    let kept = folder()?.join(name);
    fs::copy(&built, &kept).with_context(|| format!("could not copy {}", built.display()))?;
    Ok(kept)
}

fn executable(build: &mut Command) -> Result<PathBuf> {
    let built = build.output().context("could not run cargo")?;
    interrupt::check()?;
    // Warnings of a mutant's build are ignored; its errors are not.
    ensure!(built.status.success(), "it does not compile\n{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8_lossy(&built.stdout).into_owned();
    let program = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let harness = message["target"]["name"] == PROGRAM;
        message["executable"].as_str().filter(|_| harness).map(PathBuf::from)
    });
    program.context("cargo does not tell where it put the chaos harness")
}

/// Cargo's target directory, which contains this program.
fn target() -> Result<PathBuf> {
    Ok(build_directory()?.parent().context("xtask lies in no target directory")?.to_owned())
}

/// Where the builds and the copy of the sources are.
fn folder() -> Result<PathBuf> {
    let folder = target()?.join("chaos");
    fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
    Ok(folder)
}
