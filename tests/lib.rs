//! The home of Redstream's tests, see `redstream.rs`.

/// The code in the project's README, compiled and run as doctests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// The program on the page about caches.
#[cfg(doctest)]
#[doc = include_str!("../docs/cache.md")]
pub struct Caches;
