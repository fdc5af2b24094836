//! SeaORM's own tests, which `cargo xtask seaorm-suite` writes to the included path.

// It is not our code.
#![allow(warnings, clippy::all, clippy::pedantic)]

/// The runtime for SeaORM's attribute `test`, instead of their `common::runtime`: one macro for all files.
macro_rules! block_on {
    ($test:expr) => {
        crate::run(Box::pin($test))
    };
}
pub(crate) use block_on;

/// Accepts every test in one form, so that the compiler does not generate a runtime for each.
fn run<T>(test: std::pin::Pin<Box<dyn Future<Output = T> + '_>>) -> T {
    ::tokio::runtime::Runtime::new().unwrap().block_on(test)
}

include!(env!("REDSTREAM_SEAORM_SUITE"));
