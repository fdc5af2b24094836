//! Points that the chaos harness watches, one at each arrow of the flow. Without the feature `chaos` they compile to
//! nothing. A leaf: it uses no other module.

pub(crate) mod mutation;

#[cfg(feature = "chaos")]
mod on {
    use std::env;
    use std::sync::OnceLock;
    use std::time::{SystemTime, UNIX_EPOCH};

    pub use super::mutation::all;

    static WATCH: OnceLock<Box<dyn Fn(&'static str) + Send + Sync>> = OnceLock::new();

    /// From now on `watch` is called at each point with its name, before the code goes on. Once a process.
    pub fn watch(watch: impl Fn(&'static str) + Send + Sync + 'static) {
        // A second one finds the first there, which stays.
        let _ = WATCH.set(Box::new(watch));
    }

    /// The flow has come to this point.
    pub fn cross(point: &'static str) {
        if let Some(watch) = WATCH.get() {
            watch(point);
        }
    }

    /// The defect that `REDSTREAM_MUTATION` names, if it is one of these: each with its name and the law that it breaks.
    pub fn switched_on<M: Copy>(defects: &[(M, &'static str, u8)]) -> Option<M> {
        let name = env::var("REDSTREAM_MUTATION").ok()?;
        defects.iter().find(|(_, known, _)| *known == name).map(|(defect, ..)| *defect)
    }

    /// The clock of this host in ms, wrong by `REDSTREAM_CLOCK_SKEW_MS`. Only a defect reads it.
    pub(crate) fn local_ms() -> i128 {
        let skew: i128 = env::var("REDSTREAM_CLOCK_SKEW_MS").ok().and_then(|ms| ms.parse().ok()).unwrap_or(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i128::try_from(now.as_millis()).unwrap_or(0) + skew
    }
}

#[cfg(feature = "chaos")]
pub use on::{all, cross, switched_on, watch};

#[cfg(feature = "chaos")]
pub(crate) use on::local_ms;

/// The flow has come to this point.
#[cfg(not(feature = "chaos"))]
#[inline]
pub(crate) const fn cross(_: &'static str) {}

#[cfg(not(feature = "chaos"))]
pub(crate) const fn local_ms() -> i128 {
    0
}
