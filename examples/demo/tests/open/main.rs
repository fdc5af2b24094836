//! The page of `demo --open`, in Chromium.

mod accessible;
mod demo;
mod person;
