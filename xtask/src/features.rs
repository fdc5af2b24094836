//! `cargo xtask features`: whether the published crates compile with few of their features, and without any.
//!
//! For any two features there is a run with the first and without the second: so a feature whose code needs another one
//! is found. To check each alone would find little more, and takes three times as many builds of what a crate depends
//! on.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::process::{ExitCode, Stdio};

use crate::cargo::cargo;

/// The crates that applications choose features of.
const CRATES: [&str; 3] = ["redstream-core", "redstream-seaorm", "redstream-sinks"];

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Check each feature alone: many more runs
    #[arg(long)]
    each: bool,
}

/// Checks a crate by itself, so that the workspace lends it no features.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .stderr(Stdio::inherit())
        .output()
        .context("could not run cargo metadata")?;
    ensure!(metadata.status.success(), "cargo metadata failed");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).context("cargo metadata wrote no JSON")?;
    let mut failed = Vec::new();
    for name in CRATES {
        let features = features(&metadata, name).with_context(|| format!("{name} is not in the workspace"))?;
        let sets = if options.each { alone(&features) } else { separating(&features) };
        for set in std::iter::once(Vec::new()).chain(sets) {
            let set = set.join(",");
            println!("\n> {name} with {}", if set.is_empty() { "no feature" } else { &set });
            let mut clippy = cargo(&["clippy", "--locked", "-p", name, "--lib", "--no-default-features"]);
            clippy.args(["--features", &set, "--", "-D", "warnings"]);
            if !clippy.status().context("could not run cargo clippy")?.success() {
                failed.push(format!("{name} with {set:?}"));
            }
        }
    }
    ensure!(failed.is_empty(), "these do not compile, or not without warnings: {}", failed.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// The features that a crate declares; not those that Cargo makes of optional dependencies.
fn features(metadata: &Value, name: &str) -> Option<Vec<String>> {
    let package = metadata["packages"].as_array()?.iter().find(|package| package["name"] == name)?;
    let declared = package["features"].as_object()?.keys();
    // The default ones are features of their own here.
    Some(declared.filter(|feature| *feature != "default").cloned().collect())
}

fn alone(features: &[String]) -> Vec<Vec<&str>> {
    features.iter().map(|feature| vec![feature.as_str()]).collect()
}

/// As few sets as possible, such that for any two features one set has the first and lacks the second. Each feature is
/// in another half of the sets than each other one (Sperner's theorem).
fn separating(features: &[String]) -> Vec<Vec<&str>> {
    let halves = |sets: u32| (0_u32..1 << sets).filter(move |half| half.count_ones() == sets / 2);
    let sets = (2..u32::BITS).find(|sets| halves(*sets).count() >= features.len()).unwrap_or_default();
    let of = |set: u32| {
        let with_half = features.iter().zip(halves(sets));
        with_half.filter(|(_, half)| half >> set & 1 == 1).map(|(feature, _)| feature.as_str()).collect()
    };
    (0..sets).map(of).filter(|set: &Vec<_>| !set.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_two_features_are_separated_by_few_sets() {
        for (count, sets) in [(0, 0), (1, 1), (2, 2), (3, 3), (6, 4), (7, 5), (18, 6)] {
            let features: Vec<_> = (0..count).map(|nth| format!("f{nth}")).collect();
            let found = separating(&features);
            assert_eq!(found.len(), sets, "{count} features");
            assert!(features.iter().all(|feature| found.iter().any(|set| set.contains(&feature.as_str()))));
            for one in &features {
                for other in features.iter().filter(|other| *other != one) {
                    let separates = |set: &Vec<&str>| set.contains(&one.as_str()) && !set.contains(&other.as_str());
                    assert!(found.iter().any(separates), "{one} without {other}");
                }
            }
        }
    }
}
