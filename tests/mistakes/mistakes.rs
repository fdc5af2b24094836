//! What the derive refuses: each mistake is told at the word to blame.
//!
//! Each file in `mistakes` is compiled, and what the compiler says is compared with the `.stderr` beside it, which
//! `TRYBUILD=overwrite cargo test -p redstream-mistakes` writes anew. The first run builds what the files depend on.

#[test]
fn are_told_at_the_word_to_blame() {
    trybuild::TestCases::new().compile_fail("mistakes/*.rs");
}
