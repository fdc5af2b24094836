//! The dashboard against a real Redis, by requests and in Chromium.

mod accessible;
mod actions;
mod browser;
mod dead;
mod events;
mod page;
mod probes;
mod retire;
mod shop;
mod support;
mod tasks;
