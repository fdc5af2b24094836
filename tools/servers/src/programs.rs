//! Finds programs.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Finds a program on the search path, and in the directories where Debian and Homebrew keep
/// servers that ordinary users do not call.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    find_in(env::split_paths(&path).chain(server_directories()), program)
}

/// Finds a program that must come with `sibling`, such as `initdb` with `postgres`: in the
/// real directory of `sibling`, or otherwise as [`find`] does.
pub(crate) fn find_beside(sibling: &Path, program: &str) -> Option<PathBuf> {
    let real = sibling.canonicalize().ok()?;
    find_in(real.parent().map(Path::to_owned), program).or_else(|| find(program))
}

fn find_in(directories: impl IntoIterator<Item = PathBuf>, program: &str) -> Option<PathBuf> {
    directories.into_iter().map(|directory| directory.join(program)).find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn server_directories() -> impl Iterator<Item = PathBuf> {
    let fixed = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/local/bin"];
    fixed.into_iter().map(PathBuf::from).chain(postgres_directories())
}

/// `/usr/lib/postgresql/VERSION/bin`, the highest version first.
fn postgres_directories() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir("/usr/lib/postgresql") else {
        return Vec::new();
    };
    let version = |path: &PathBuf| -> u32 {
        let name = path.file_name().and_then(OsStr::to_str);
        name.and_then(|name| name.parse().ok()).unwrap_or_default()
    };
    let mut versions: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    versions.sort_by_key(|path| std::cmp::Reverse(version(path)));
    versions.into_iter().map(|path| path.join("bin")).collect()
}
