//! What the derive refuses: the error for each mistake points at the word that causes it.
//!
//! Each file in `mistakes` is compiled, and what the compiler says is compared with the `.stderr` beside it, which
//! `TRYBUILD=overwrite cargo test -p redstream-seaorm-macros` writes anew. The first run builds what the files depend on.

#[test]
fn errors_point_at_the_word_that_causes_them() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
