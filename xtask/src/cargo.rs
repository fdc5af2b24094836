//! Calls to cargo.

use anyhow::{Context, Result};
pub(crate) use redstream_cargo::{cargo, workspace};
use std::{
    env,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus, Stdio},
};

/// The folder of this program, and so of everything else that is built in the same profile.
pub(crate) fn build_directory() -> Result<PathBuf> {
    let program = env::current_exe().context("could not tell where xtask lies")?;
    program.parent().map(Path::to_owned).context("xtask lies in no directory")
}

/// Whether `cargo nextest` is installed.
pub(crate) fn has_nextest() -> bool {
    let mut ask = cargo(&["nextest", "--version"]);
    ask.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The exit code to pass on for a child that ended with this status.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
