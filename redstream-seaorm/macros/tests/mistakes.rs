//! What the derive refuses: the error for each mistake points at the word that causes it.
//!
//! Each file in `mistakes` is compiled, and the compiler's output is compared with its `.stderr` file.
//! `TRYBUILD=overwrite cargo test -p redstream-seaorm-macros-tests` rewrites these. The first run builds the
//! dependencies of the files.

#[test]
fn errors_point_at_the_word_that_causes_them() {
    trybuild::TestCases::new().compile_fail("mistakes/*.rs");
}
