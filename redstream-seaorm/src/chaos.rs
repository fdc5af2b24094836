//! Points that the chaos harness watches, one at each arrow of the flow. Without the feature `chaos` they compile to
//! nothing.

#[cfg(feature = "chaos")]
pub(crate) use redstream_core::chaos::cross;

#[cfg(feature = "chaos")]
pub use crate::mutation::all;

/// The flow has come to this point.
#[cfg(not(feature = "chaos"))]
#[inline]
pub(crate) const fn cross(_: &'static str) {}
