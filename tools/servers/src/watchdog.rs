//! A watchdog: ends a server whose owner died without ending it.
//!
//! It is a shell that reads a pipe held open by this process. However this process ends, the
//! pipe is then closed; the shell then kills the server and removes its directory. A kernel
//! feature such as Linux's parent-death signal would need unsafe code, and would leave the
//! directory behind.

use crate::{Error, Result};
use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

/// Reads one line for each change: the id of the process to end, an empty line when there is
/// none, or `dismissed`. Arguments: the signal that ends the server, and the directory.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
server=
while read -r line; do
  [ "$line" = dismissed ] && exit 0
  server=$line
done
if [ -n "$server" ]; then
  kill -s "$1" "$server"
  tries=0
  while kill -s 0 "$server" && [ "$tries" -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -s KILL "$server"
fi
rm -rf -- "$2"
"#;

/// Watches over one directory and the server that runs in it.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// Watches over `directory`; a server in it is ended with `signal`, such as `KILL`.
    pub(crate) fn over(directory: &Path, signal: &str) -> Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "redstream-watchdog", signal])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own: ctrl-C in the terminal must not end the watchdog first.
            .process_group(0)
            .spawn()
            .map_err(Error::io("start a shell as watchdog"))?;
        Ok(Self { shell })
    }

    /// From now on the watchdog ends the process `id` too; with `None`, no process.
    pub(crate) fn watch(&mut self, id: Option<u32>) -> Result<()> {
        let line = id.map_or_else(String::new, |id| id.to_string());
        self.tell(&line).map_err(Error::io("tell the watchdog about a server"))
    }

    fn tell(&mut self, line: &str) -> std::io::Result<()> {
        match &mut self.shell.stdin {
            Some(pipe) => writeln!(pipe, "{line}"),
            None => Ok(()),
        }
    }
}

impl Drop for Watchdog {
    /// Dismisses it: the code that drops a watchdog has ended the server, or does so next.
    fn drop(&mut self) {
        // It fails only if the watchdog has already ended.
        let _ = self.tell("dismissed");
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
