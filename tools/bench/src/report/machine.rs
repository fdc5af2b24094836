//! The machine, in one line.

use std::fs;
use std::process::Command;

/// Processor, cores, memory, kernel, Redis and compiler, as far as known.
pub(crate) fn description() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown processor".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let memory = memory.map_or_else(String::new, |kib| format!(", {} GiB", kib.div_ceil(1 << 20)));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let redis = said("redis-server", &["--version"])
        .split_whitespace()
        .find_map(|word| word.strip_prefix("v=").map(str::to_owned));
    let redis = redis.unwrap_or_default();
    let rustc = said("rustc", &["--version"]);
    let rustc = rustc.split_whitespace().nth(1).unwrap_or_default();
    format!(
        "{cores} cores of {model}{memory}, Linux {}, Redis {redis} without persistence, Rust {rustc}",
        kernel.trim()
    )
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}
