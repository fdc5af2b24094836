//! SeaORM's own tests, which `cargo xtask seaorm-suite` puts where this says.

// It is not our code.
#![allow(warnings, clippy::all, clippy::pedantic)]

/// What SeaORM's attribute `test` runs a test by, in the place of their `common::runtime`: one macro for all files.
macro_rules! block_on {
    ($test:expr) => {
        crate::run(Box::pin($test))
    };
}
pub(crate) use block_on;

/// Takes every test in one form, which spares the compiler a runtime for each.
fn run<T>(test: std::pin::Pin<Box<dyn Future<Output = T> + '_>>) -> T {
    ::tokio::runtime::Runtime::new().unwrap().block_on(test)
}

include!(env!("REDSTREAM_SEAORM_SUITE"));
