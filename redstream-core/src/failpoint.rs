//! Failpoints: named points of the code that the chaos harness watches. A leaf: it uses no other module.
//!
//! [`failpoint!`] is empty unless the crate is compiled with `--cfg redstream_chaos`, as `cargo xtask chaos` does.

/// Reports that execution has reached this point. Empty without `--cfg redstream_chaos`.
#[cfg(not(redstream_chaos))]
macro_rules! failpoint {
    ($point:expr) => {};
}

/// Reports that execution has reached this point.
#[cfg(redstream_chaos)]
macro_rules! failpoint {
    ($point:expr) => {
        $crate::failpoint::reached($point)
    };
}

pub(crate) use failpoint;

#[cfg(redstream_chaos)]
pub use active::{reached, watch};

#[cfg(redstream_chaos)]
mod active {
    use std::sync::OnceLock;

    static WATCH: OnceLock<Box<dyn Fn(&'static str) + Send + Sync>> = OnceLock::new();

    /// From now on `watch` is called at each failpoint with its name, before the code continues. The first call in a
    /// process counts; later ones change nothing.
    pub fn watch(watch: impl Fn(&'static str) + Send + Sync + 'static) {
        let _ = WATCH.set(Box::new(watch));
    }

    /// Called when execution has reached this failpoint.
    pub fn reached(point: &'static str) {
        if let Some(watch) = WATCH.get() {
            watch(point);
        }
    }
}
