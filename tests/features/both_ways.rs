//! One program, built plain and with features that other crates may enable: it must send the same bytes to the same
//! shards. Otherwise two such programs of one application would send the messages of one row to different shards, and
//! lose their order.

use std::path::PathBuf;
use std::process::Command;

/// The output of the program.
fn printed(program: &mut Command) -> String {
    let output = program.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A program built with those features and no others, in a directory of its own, so that nothing waits for another
/// build.
fn with_others(program: &str) -> Command {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("both-ways");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut run = Command::new(cargo);
    run.args([
        "run",
        "--quiet",
        "--locked",
        "--package",
        "redstream-features",
        "--features",
        "others",
        "--bin",
        program,
    ]);
    run.current_dir(env!("CARGO_MANIFEST_DIR")).env("CARGO_TARGET_DIR", target);
    run
}

#[test]
fn features_of_other_crates_change_no_byte_and_no_shard() {
    // Built with the tests, whose features are those of the workspace: none of these.
    let by_serde = printed(Command::new(env!("CARGO_BIN_EXE_keys")).arg("--serde"));
    let by_serde_with_others = printed(with_others("keys").args(["--", "--serde"]));
    for (plain, others) in by_serde.lines().zip(by_serde_with_others.lines()) {
        assert_ne!(plain, others, "a feature of the others is missing, or switched on in both");
    }
    assert_eq!(by_serde.lines().count(), 4, "a line for each feature");

    let plain = printed(&mut Command::new(env!("CARGO_BIN_EXE_keys")));
    assert_eq!(plain, printed(&mut with_others("keys")));
    // As other versions of this crate also send them.
    assert_eq!(plain, include_str!("keys.txt"));
}

#[test]
fn a_url_that_asks_for_tls_names_the_feature_that_is_missing() {
    let told = printed(&mut with_others("tls"));
    assert!(told.starts_with("true "), "another error: {told}");
    assert!(told.contains("rediss://") && told.contains("feature `tls`") && told.contains("redstream-core"), "{told}");
    assert!(!told.contains("secret"), "{told}");
}
