//! Failpoints: named points of the code that the chaos harness watches. A leaf: it uses no other module of this crate.
//!
//! [`failpoint!`] is empty unless both crates are compiled with `--cfg redstream_chaos`, as `cargo xtask chaos` does.

/// Reports that execution has reached this point. Empty without `--cfg redstream_chaos`.
#[cfg(not(redstream_chaos))]
macro_rules! failpoint {
    ($point:expr) => {};
}

/// Reports that execution has reached this point.
#[cfg(redstream_chaos)]
macro_rules! failpoint {
    ($point:expr) => {
        ::redstream_core::chaos::reached($point)
    };
}

pub(crate) use failpoint;
