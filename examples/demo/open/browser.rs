//! Opens the page in the user's browser, if there is one.

use std::process::Stdio;

use tokio::process::Command;

/// If there is no browser, the address that was printed must do.
pub(super) fn open(url: &str) {
    let Some(program) = program() else { return };
    let mut command = Command::new(program);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C is for the demo, and not for a browser that was started for it.
    #[cfg(unix)]
    command.process_group(0);
    _ = command.spawn();
}

/// Without a display, `xdg-open` would start a browser in the terminal.
fn program() -> Option<&'static str> {
    if cfg!(target_os = "macos") {
        return Some("open");
    }
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    has_display.then_some("xdg-open")
}
