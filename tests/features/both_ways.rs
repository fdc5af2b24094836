//! One program, built plain and with features that other crates may switch on: it must send the same bytes to the same shards.
//! Two such programs of one application would otherwise send the messages of one row to different shards, and lose their order.

use std::path::PathBuf;
use std::process::Command;

/// What the program prints, built with these features; in a directory of its own, so that nothing waits for another build.
fn printed(features: &[&str]) -> String {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("both-ways");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["run", "--quiet", "--locked", "--package", "redstream-features", "--bin", "keys"]).args(features);
    let output = build.current_dir(env!("CARGO_MANIFEST_DIR")).env("CARGO_TARGET_DIR", target).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn features_of_other_crates_change_no_byte_and_no_shard() {
    let plain = printed(&[]);
    let others = printed(&["--features", "others"]);
    assert_eq!(plain, others);
    // As other versions of this crate send them, too.
    assert_eq!(plain, include_str!("keys.txt"));
}
