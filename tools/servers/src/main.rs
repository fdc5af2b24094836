//! The program that runs the servers of the tests. A test starts it; see `shared.rs`.

use redstream_servers::serve;
use std::{env, path::Path, process::ExitCode, time::Duration};

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let linger = |milliseconds: String| milliseconds.parse().map(Duration::from_millis).ok();
    let (Some(folder), Some(linger)) = (arguments.next(), arguments.next().and_then(linger)) else {
        eprintln!(
            "usage: redstream-servers FOLDER MILLISECONDS (for servers to be used by hand: `cargo xtask servers`)"
        );
        return ExitCode::FAILURE;
    };
    match serve(Path::new(&folder), linger) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.in_words());
            ExitCode::FAILURE
        }
    }
}
