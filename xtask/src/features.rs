//! `cargo xtask features`: whether each feature of the published crates compiles by itself, and each crate without any.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::process::{ExitCode, Stdio};

use crate::cargo::cargo;

/// The crates that applications choose features of.
const CRATES: [&str; 3] = ["redstream-core", "redstream-seaorm", "redstream-sinks"];

/// Checks a crate by itself, so that the workspace lends it no features.
pub(crate) fn run() -> Result<ExitCode> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .stderr(Stdio::inherit())
        .output()
        .context("could not run cargo metadata")?;
    ensure!(metadata.status.success(), "cargo metadata failed");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).context("cargo metadata wrote no JSON")?;
    let mut failed = Vec::new();
    for name in CRATES {
        let features = features(&metadata, name).with_context(|| format!("{name} is not in the workspace"))?;
        for feature in std::iter::once("").chain(features.iter().map(String::as_str)) {
            println!("\n> {name} with {}", if feature.is_empty() { "no feature" } else { feature });
            let arguments = ["check", "--locked", "-p", name, "--lib", "--no-default-features", "--features", feature];
            let status = cargo(&arguments).status().context("could not run cargo check")?;
            if !status.success() {
                failed.push(format!("{name} with {feature:?}"));
            }
        }
    }
    ensure!(failed.is_empty(), "these do not compile: {}", failed.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// The features that a crate declares; not those that Cargo makes of optional dependencies.
fn features(metadata: &Value, name: &str) -> Option<Vec<String>> {
    let package = metadata["packages"].as_array()?.iter().find(|package| package["name"] == name)?;
    Some(package["features"].as_object()?.keys().cloned().collect())
}
