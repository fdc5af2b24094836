//! What the adapter adds to a build, compared with plain `SeaORM` with the same features.

use crate::curve::Curve;
use crate::place::Place;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;
use tokio::process::Command;

const SEA_ORM: &str = r#"sea-orm = { version = "2.0.4", default-features = false, features = ["macros", "with-json", "sqlx-sqlite", "runtime-tokio"] }"#;

pub(crate) async fn curve(_: &Place) -> Result<Curve> {
    let mut curve = Curve::new("build", &["depends on", "crates", "cold `cargo check`, s"]);
    let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../redstream-seaorm");
    let ours = format!("redstream-seaorm = {{ path = \"{}\" }}\n{SEA_ORM}", adapter.display());
    for (name, dependencies) in [("sea-orm", SEA_ORM), ("sea-orm and redstream-seaorm", &ours)] {
        let (crates, seconds) = build(dependencies).await?;
        curve.point([name.to_owned(), crates.to_string(), format!("{seconds:.0}")]);
    }
    Ok(curve)
}

async fn build(dependencies: &str) -> Result<(usize, f64)> {
    let folder = tempfile::tempdir()?;
    let manifest = format!(
        "[package]\nname = \"application\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n{dependencies}\n"
    );
    std::fs::write(folder.path().join("Cargo.toml"), manifest)?;
    std::fs::create_dir(folder.path().join("src"))?;
    std::fs::write(folder.path().join("src/lib.rs"), "")?;
    // The versions that this workspace is tested with, as far as they are needed.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    std::fs::copy(lock, folder.path().join("Cargo.lock"))?;
    let tree = cargo(folder.path(), &["tree", "--prefix", "none", "--edges", "normal,build"]).await?;
    let crates: BTreeSet<&str> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    let begun = Instant::now();
    cargo(folder.path(), &["check", "--quiet"]).await?;
    Ok((crates.len() - 1, begun.elapsed().as_secs_f64()))
}

async fn cargo(folder: &Path, arguments: &[&str]) -> Result<String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", folder.join("target"));
    let output = command.output().await.context("could not run cargo")?;
    ensure!(output.status.success(), "cargo failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
