//! Calls to cargo.

use anyhow::{Context, Result};
use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus, Stdio},
};

/// The cargo that called us, in the workspace's root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace());
    command
}

/// The workspace's root.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where this program lies, and so everything else that is built in the same profile.
pub(crate) fn build_directory() -> Result<PathBuf> {
    let program = env::current_exe().context("could not tell where xtask lies")?;
    program.parent().map(Path::to_owned).context("xtask lies in no directory")
}

/// Whether `cargo nextest` is there.
pub(crate) fn has_nextest() -> bool {
    let mut ask = cargo(&["nextest", "--version"]);
    ask.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The exit code to pass on for a child that ended so.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
