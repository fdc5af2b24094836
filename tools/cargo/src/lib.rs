//! Calls to cargo, for the tools that build other packages of this workspace.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The cargo that called this process, or otherwise the one on the search path, in the workspace's root.
pub fn cargo(arguments: &[&str]) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace());
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_a_package(name)) {
        command.env_remove(name);
    }
    command
}

/// Whether `cargo run` or `cargo test` set this variable for the package that it runs. Some build scripts (that of
/// `ring`) read them, so a nested cargo that inherits them builds these packages again, and all that depends on them.
fn is_of_a_package(variable: &OsStr) -> bool {
    variable.to_str().is_some_and(|name| {
        ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|of| name.starts_with(of))
    })
}

/// The workspace's root.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a build (`cargo build`, or `cargo test --no-run`) and returns the path of the program that it built from
/// `target`.
///
/// # Errors
/// If cargo cannot be run, the build fails, or it built no such program.
pub fn build_program(build: &mut Command, target: &str) -> Result<PathBuf> {
    build.args(["--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit());
    let built = build.output().context("could not run cargo")?;
    ensure!(built.status.success(), "{target} does not compile");
    let messages = String::from_utf8_lossy(&built.stdout);
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = messages.filter(|message| message["target"]["name"] == target);
    let program = programs.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    program.with_context(|| format!("cargo did not report where it put {target}"))
}

#[cfg(test)]
mod tests {
    use super::cargo;
    use std::env;

    #[test]
    fn a_nested_cargo_inherits_nothing_of_the_package_that_calls_it() {
        assert!(env::var_os("CARGO_MANIFEST_DIR").is_some(), "cargo sets it for tests");
        let command = cargo(&["build"]);
        let removed: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        for variable in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"] {
            assert!(removed.iter().any(|name| *name == variable), "{variable} is inherited");
        }
    }
}
